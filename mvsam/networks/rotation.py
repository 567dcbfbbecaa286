"""Nearest rotation to a 3x3 matrix, without SVD (ONNX and TensorRT have none)."""

import torch
from jaxtyping import Float
from torch import Tensor

SQUARINGS = 18


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation R that maximises tr(R^T M), in FP32.

    Davenport's q-method: the unit quaternion of R is the eigenvector of a symmetric 4x4 matrix K(M) that belongs to its
    largest eigenvalue. Squaring K (shifted to be positive) again and again leaves only the projector q q^T, and the
    entries of R are linear in that projector, so neither an eigenvector's sign nor a pivot has to be chosen.

    The products are sums of terms, not matrix products, so that no backend and no autocast computes them in fewer bits.
    """
    m = matrix.float()
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    z = [m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]]
    s = m + m.transpose(-1, -2)
    rows = [torch.stack([trace, *z], dim=-1)]
    for i in range(3):
        rows.append(torch.stack([z[i], *(s[..., i, j] - trace if i == j else s[..., i, j] for j in range(3))], dim=-1))
    k = torch.stack(rows, dim=-2)
    identity = torch.eye(4, device=k.device)
    power = k + _norm(k) * identity
    for _ in range(SQUARINGS):
        power = power / _norm(power)
        power = (power[..., None] * power[..., None, :, :]).sum(-2)
    q = power / (power * identity).sum((-1, -2), keepdim=True)
    ww, xx, yy, zz = (q[..., i, i] for i in range(4))
    wx, wy, wz = (q[..., 0, i] for i in (1, 2, 3))
    xy, xz, yz = q[..., 1, 2], q[..., 1, 3], q[..., 2, 3]
    entries = (
        (ww + xx - yy - zz, 2 * (xy - wz), 2 * (xz + wy)),
        (2 * (xy + wz), ww - xx + yy - zz, 2 * (yz - wx)),
        (2 * (xz - wy), 2 * (yz + wx), ww - xx - yy + zz),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in entries], dim=-2)


def _norm(matrix: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 1 1"]:
    """Frobenius norm: at least the largest absolute eigenvalue."""
    return matrix.square().sum((-1, -2), keepdim=True).sqrt()
