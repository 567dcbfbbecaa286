"""Pointmaps and embeddings of frozen networks on disk, so that training on a subset computes them once.

Features take 8.4 MB a photograph at full size in FP16 and its pointmap 4.3 MB more: all of SA-1B would be 140 TB. So a
cache is made only when asked for, and only within a budget.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.presets import Preset
from mvsam.pipeline.request import Geometry

_FEATURE_NUMBERS = 256 + 16 * 32 + 4 * 64  # of all three maps, for each cell of the embedding grid
_POINTMAP_BYTES = 3 * 4 + 4 + 1  # of a pixel: point and confidence stay FP32, for their order decides what is low
_FEATURES = ImageFeatures._fields
_GEOMETRY = ("points", "confidence", "valid")


class Encoded(NamedTuple):
    """What the frozen networks make of an example.

    Attributes:
        features: of its first view, [1, ...]; FP16 when they come from a cache. None where the encoder is trained.
        geometry: π³'s, of its V views; None where the example brings its own.
    """

    features: ImageFeatures | None
    geometry: Geometry | None


@dataclass(frozen=True)
class FeatureCache:
    """Encoded examples by key, each in a file of its own, for one set of frozen weights.

    Attributes:
        folder: of these weights' files (see `open`).
    """

    folder: Path

    @classmethod
    def open(
        cls, folder: Path, preset: Preset, networks: Mapping[str, nn.Module], *, photographs: int, budget_bytes: int
    ) -> "FeatureCache":
        """A cache under a folder, in which other weights' files may lie too.

        Args:
            folder: is created.
            preset: whose networks these are.
            networks: the frozen ones, by name.
            photographs: of all examples together that are to be cached.
            budget_bytes: the most that they may take.

        Raises:
            ValueError: they would take more.
        """
        each = photograph_bytes(preset)
        if photographs * each > budget_bytes:
            raise ValueError(
                f"a cache of {photographs} photographs takes about {_gigabytes(photographs * each)} "
                f"({each / 1e6:.1f} MB each), the budget is {_gigabytes(budget_bytes)}; "
                f"cache at most {budget_bytes // each} photographs or raise the budget"
            )
        own = folder / fingerprint(preset, networks)[:16]
        own.mkdir(parents=True, exist_ok=True)
        return cls(own)

    def get(self, key: str) -> Encoded | None:
        """What was kept under that key; None where nothing was, or where its file is damaged."""
        try:
            tensors = load_file(self._file(key))
        except (FileNotFoundError, SafetensorError):
            return None
        features = geometry = None
        if _FEATURES[0] in tensors:
            features = ImageFeatures(*(tensors[name] for name in _FEATURES))
        if _GEOMETRY[0] in tensors:
            geometry = Geometry(*(tensors[name].numpy() for name in _GEOMETRY))
        return Encoded(features, geometry)

    def put(self, key: str, encoded: Encoded) -> None:
        """Keeps an example; a reader, or a crash, meets the whole file or none.

        Raises:
            ValueError: a feature does not fit into FP16.
        """
        tensors = {
            name: part.detach().half().cpu() for name, part in zip(_FEATURES, encoded.features or (), strict=False)
        }
        for name, part in tensors.items():
            if not part.isfinite().all():
                raise ValueError(f"{key}: {name} has values beyond FP16's 65504; train without a cache")
        if encoded.geometry is not None:
            for name in _GEOMETRY:
                tensors[name] = torch.from_numpy(getattr(encoded.geometry, name))
        contiguous = {name: part.contiguous() for name, part in tensors.items()}
        file = self._file(key)
        file.parent.mkdir(exist_ok=True)
        temporary = file.with_name(f".{uuid.uuid4().hex}")
        try:
            save_file(contiguous, temporary, metadata={"key": key})
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


def photograph_bytes(preset: Preset) -> int:
    """At most so many bytes a photograph takes in a cache."""
    return 2 * _FEATURE_NUMBERS * preset.grid_side**2 + _POINTMAP_BYTES * preset.geometry_pixels


def fingerprint(preset: Preset, networks: Mapping[str, nn.Module]) -> str:
    """SHA-256 of all that decides what the frozen networks compute: their weights, and what the preset lets them see.

    The decoder's settings are left out: they may differ between runs that share a cache.
    """
    digest = hashlib.sha256(repr((preset.pi3, preset.encoder, preset.geometry_pixels)).encode())
    for name, network in sorted(networks.items()):
        for key, tensor in sorted(network.state_dict().items()):
            digest.update(f"{name}.{key} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
