"""Deterministic random weights: speed and parity work without a checkpoint. They segment nothing."""

import logging
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from mvsam.cores import available_cores

logger = logging.getLogger(__name__)

HEAD_GAIN = 0.2  # keeps exp(z) of the point head in a sane range


def seeded_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 array that any machine gives to the parameter `name` of that shape.

    Noise comes from PCG64 seeded by CRC-32 of the name, scaled so that activations stay of order one.
    """
    noise = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape, dtype=np.float32)
    if name.endswith(".gamma"):
        return (0.1 + 0.02 * noise).astype(np.float32)
    if len(shape) == 1:
        return ((1.0 if name.endswith(".weight") else 0.0) + 0.02 * noise).astype(np.float32)
    if name.endswith(("_token", "_tokens", "pos_embed")):
        return (0.05 * noise).astype(np.float32)
    gain = HEAD_GAIN if name.startswith(("point_head.", "conf_head.")) else 1.0
    return (gain * noise / np.sqrt(int(np.prod(shape[1:])))).astype(np.float32)


def seed_weights(network: nn.Module) -> None:
    """Fills every parameter of `network` in place, leaving buffers (means, the Fourier basis) as they are built."""
    logger.warning(
        "%s has RANDOM weights made from a seed: right for speed and parity, useless for masks", type(network).__name__
    )

    def fill(named: tuple[str, nn.Parameter]) -> None:
        name, parameter = named
        parameter.data.copy_(torch.from_numpy(seeded_tensor(name, tuple(parameter.shape))))

    with ThreadPoolExecutor(available_cores()) as pool:  # NumPy draws without Python's lock
        list(pool.map(fill, network.named_parameters()))
