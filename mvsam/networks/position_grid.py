"""Resizing a learned grid of positional embeddings by two small matrices, where TensorRT has no antialiased Resize."""

import torch
from jaxtyping import Float
from torch import Tensor

CUBIC = -0.5  # the cubic's free parameter in antialiased resizing


def cubic_matrix(source: int, target: int, device: torch.device) -> Float[Tensor, "target source"]:
    """The matrix of an antialiased bicubic resize of `source` samples to `target`, half-pixel centres, FP32.

    `target` may be symbolic during export. At `target == source` this is the identity.
    """
    rows = 2 * torch.arange(target, device=device)[:, None] + 1
    columns = 2 * torch.arange(source, device=device)[None, :] + 1
    # In whole numbers up to the division: distances between half-pixel centres, over the wider of the two pixels.
    d = (columns * target - rows * source).abs() / (2.0 * torch.sym_max(source, target))
    near = ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * CUBIC - 4 * CUBIC
    weights = torch.where(d < 1, near, torch.where(d < 2, far, torch.zeros_like(d)))
    return weights / weights.sum(1, keepdim=True)


def resize_grid(
    grid: Float[Tensor, "side side channels"], height: int, width: int
) -> Float[Tensor, "height width channels"]:
    """`grid` resized as DINOv2 resizes its positional embedding (bicubic, antialiased, offset 0), in FP32."""
    rows = cubic_matrix(grid.shape[0], height, grid.device)
    columns = cubic_matrix(grid.shape[1], width, grid.device)
    return torch.einsum("yi,ijc,xj->yxc", rows, grid.float(), columns)
