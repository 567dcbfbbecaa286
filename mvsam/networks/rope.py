"""Two-dimensional rotary position embedding: the first half of a head's channels turns with y, the second with x."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BASE = 100.0


@dataclass(frozen=True)
class RotaryTable:
    """Cosines and sines of every token of a sequence, axis (y, x) by axis."""

    cos: Float[Tensor, "tokens 1 2 frequencies"]
    sin: Float[Tensor, "tokens 1 2 frequencies"]

    def repeat(self, views: int) -> "RotaryTable":
        """The table of `views` sequences laid end to end."""
        shape = (views, *self.cos.shape)
        return RotaryTable(self.cos.expand(shape).flatten(0, 1), self.sin.expand(shape).flatten(0, 1))


def rotary_table(special: int, height: int, width: int, head_dim: int, device: torch.device) -> RotaryTable:
    """The table of `special` unturned tokens followed by `height` x `width` patches at positions counted from 1.

    Always FP32. Frequencies are BASE^(-i / n) for n = head_dim / 4.
    """
    count = head_dim // 4
    frequencies = BASE ** (-torch.arange(count, dtype=torch.float32, device=device) / count)
    y = torch.arange(1, height + 1, dtype=torch.float32, device=device)
    x = torch.arange(1, width + 1, dtype=torch.float32, device=device)
    grid = torch.stack([y[:, None].expand(height, width), x[None, :].expand(height, width)], dim=-1).flatten(0, 1)
    positions = torch.cat([torch.zeros(special, 2, device=device), grid])
    angles = (positions[:, :, None] * frequencies)[:, None]
    return RotaryTable(angles.cos(), angles.sin())


def rotate(
    x: Float[Tensor, "batch tokens heads channels"], table: RotaryTable
) -> Float[Tensor, "batch tokens heads channels"]:
    """Turns the channels of queries or keys: channel i of an axis' half pairs with channel i + n of the same half."""
    count = table.cos.shape[-1]
    first, second = x.unflatten(-1, (2, 2, count)).unbind(-2)
    cos, sin = table.cos.to(x.dtype), table.sin.to(x.dtype)
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-2).flatten(-3)
