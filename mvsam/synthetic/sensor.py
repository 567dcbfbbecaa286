"""From light to an 8-bit photograph: exposure, white balance, vignetting, blur, noise, tone curve."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from numpy.random import Generator
from torch import Tensor

from mvsam.synthetic.noise import normals

MIDDLE_GREY = 0.2
TAPS = 5


class Optics(NamedTuple):
    """What each view's camera does to the light."""

    exposure: Float[Tensor, "*views"]  # 1: the average becomes middle grey
    balance: Float[Tensor, "views 3"]
    vignette: Float[Tensor, "*views"]  # light lost in the corners
    blur: Float[Tensor, "*views"]  # standard deviation, pixels
    noise: Float[Tensor, "views 2"]  # standard deviation at black, and its growth with the root of light
    start: Int[Tensor, "*views"]  # which noise


def draw_optics(rng: Generator, views: int) -> Optics:
    """A camera that is handled a little differently in each view."""
    balance = 1 + rng.normal(0, 0.05, 3) + rng.normal(0, 0.015, (views, 3))
    noise = rng.uniform(0.0, 0.004) * np.ones(views), rng.uniform(0.002, 0.025) * np.ones(views)
    return Optics(
        _tensor(np.exp(rng.normal(0, 0.12, views) + rng.normal(0, 0.15))),
        _tensor(balance / balance.mean(1, keepdims=True)),
        _tensor(np.full(views, rng.uniform(0.0, 0.3))),
        _tensor(rng.uniform(0.35, 0.8, views)),
        _tensor(np.stack(noise, axis=1)),
        torch.from_numpy(rng.integers(0, 1 << 20, views)),
    )


def develop(light: Float[Tensor, "views 3 height width"], optics: Optics) -> UInt8[Tensor, "views height width 3"]:
    """Photographs of linear light."""
    views, _, height, width = light.shape
    # The mean of roots listens less to a bright sky than the mean does.
    brightness = light.sqrt().mean((1, 2, 3)).clamp(min=0.03) ** 2
    gain = optics.exposure * MIDDLE_GREY / brightness
    light = light * (gain[:, None] * optics.balance)[:, :, None, None]
    y = torch.linspace(-1, 1, height, device=light.device)[:, None]
    x = torch.linspace(-1, 1, width, device=light.device)
    light = light * (1 - optics.vignette[:, None, None] * (x * x + y * y) / 2)[:, None]
    light = _blurred(light, optics.blur)
    grain = normals(optics.start, 3 * height * width).view(views, 3, height, width)
    dark, bright = optics.noise.T[:, :, None, None, None]
    light = (light + grain * (dark + bright * light.clamp(min=0).sqrt())).clamp(min=0)
    # A shoulder keeps highlights from clipping hard; below it, the usual gamma.
    light = torch.where(light > 0.7, 0.7 + 0.3 * torch.tanh((light - 0.7) / 0.3), light)
    return (light ** (1 / 2.2) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _blurred(light: Float[Tensor, "views 3 height width"], sigma: Float[Tensor, "*views"]) -> Tensor:
    """Each view under its own Gaussian."""
    views, _, height, width = light.shape
    offsets = torch.arange(TAPS, device=light.device) - TAPS // 2
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)
    flat = F.pad(light.reshape(1, -1, height, width), (2, 2, 2, 2), mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=3 * views)
    return F.conv2d(flat, kernel[:, None, :, None], groups=3 * views).view(views, 3, height, width)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
