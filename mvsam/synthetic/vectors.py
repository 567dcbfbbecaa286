"""Arithmetic on component-first vectors `[3, n]`: written out by component, several times as fast as reductions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TINY = 1e-9

Vectors = Float[Tensor, "3 n"]


def dot(a: Vectors, b: Vectors) -> Float[Tensor, "*n"]:
    """Scalar products."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def length(v: Float[Tensor, "axes n"]) -> Float[Tensor, "*n"]:
    """Euclidean lengths, of any number of components."""
    total = v[0] * v[0]
    for component in v[1:]:
        total = total + component * component
    return total.sqrt()


def unit(v: Vectors) -> Vectors:
    """Vectors of length 1; a zero vector stays zero."""
    return v / length(v).clamp(min=TINY)


def largest(v: Vectors) -> Int[Tensor, "*n"]:
    """Index of the largest component, the first where some are equal."""
    beyond_first = torch.where(v[2] > v[1], 2, 1)
    return torch.where(v[0] >= torch.maximum(v[1], v[2]), 0, beyond_first)


def nudged(x: Tensor) -> Tensor:
    """x without zeros, for dividing by."""
    return torch.where(x.abs() < TINY, TINY, x)


def into(turn: Float[Tensor, "9 n"], v: Vectors) -> Vectors:
    """Vectors of the world in the frames whose axes are the columns of `turn`."""
    return torch.stack([turn[i] * v[0] + turn[3 + i] * v[1] + turn[6 + i] * v[2] for i in range(3)])


def out_of(turn: Float[Tensor, "9 n"], v: Vectors) -> Vectors:
    """Vectors of those frames in the world."""
    return torch.stack([turn[3 * i] * v[0] + turn[3 * i + 1] * v[1] + turn[3 * i + 2] * v[2] for i in range(3)])
