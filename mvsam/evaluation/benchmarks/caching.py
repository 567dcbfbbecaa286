"""What networks make of photographs, kept on disk: many methods, objects and runs need the same."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.evaluation.geometry.provider import GeometryProvider
from mvsam.pipeline.request import Geometry
from mvsam.runtime.segmenter import Session


@dataclass(frozen=True)
class CachedPointmaps:
    """A provider whose pointmaps are kept.

    Attributes:
        provider: that makes them.
        folder: where they are kept.
        identity: of the provider's weights; other weights, other files.
    """

    provider: GeometryProvider
    folder: Path
    identity: str

    @property
    def name(self) -> str:
        """The provider's."""
        return self.provider.name

    def pointmaps(self, photographs: Sequence[bytes]) -> Pointmaps:
        """Those of the provider; which views there are, and in which order, is part of the key."""
        digests = [hashlib.sha256(data).hexdigest() for data in photographs]
        path = _path(self.folder, self.name, self.identity, *digests)

        def made() -> Mapping[str, np.ndarray]:
            found = self.provider.pointmaps(photographs)
            arrays = dict(vars(found.geometry))
            arrays |= {"camera_poses": found.camera_poses, "intrinsics": found.intrinsics}
            return {name: array for name, array in arrays.items() if array is not None}

        arrays = _kept(path, made)
        geometry = Geometry(*(arrays[name] for name in ("points", "confidence", "valid")))
        return Pointmaps(geometry, arrays.get("camera_poses"), arrays.get("intrinsics"))


class CachedEncoder:
    """An image encoder's session whose outputs are kept, view by view.

    Args:
        session: that computes them.
        folder: where they are kept.
        identity: of the session's weights.
    """

    def __init__(self, session: Session, folder: Path, identity: str) -> None:
        self._session, self._folder, self._identity = session, folder, identity
        self.types = session.types

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name, of `images` [N, 3, S, S]."""
        rows = []
        for image in inputs["images"]:
            path = _path(self._folder, self._identity, hashlib.sha256(image.tobytes()).hexdigest())
            rows.append(_kept(path, lambda image=image: self._session.run({"images": image[None]})))
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _path(folder: Path, *parts: str) -> Path:
    return folder / f"{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:32]}.npz"


def _kept(path: Path, made: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """What a file holds; makes the file where there is none, under a name of its own first."""
    if not path.is_file():
        arrays = made()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
        np.savez(temporary, **arrays)
        temporary.replace(path)
        return arrays
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
