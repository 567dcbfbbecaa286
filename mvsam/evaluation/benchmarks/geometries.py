"""Geometry by name: what `--geometry` offers (the paper's Table 5)."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from mvsam.evaluation.benchmarks.caching import CachedPointmaps
from mvsam.evaluation.benchmarks.catalogue import Offer, Sources
from mvsam.evaluation.benchmarks.harness import Geometry, from_data
from mvsam.evaluation.benchmarks.results import RunError
from mvsam.evaluation.benchmarks.scenes import Scene
from mvsam.evaluation.geometry.pi3 import Pi3Provider
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.evaluation.geometry.provider import GeometryProvider
from mvsam.evaluation.geometry.vggt import VggtProvider
from mvsam.evaluation.geometry.vggt_package import VggtPackage
from mvsam.runtime.artifacts import sha256

DATA, PI3, VGGT = "data", "pi3", "vggt"
TITLES = {DATA: "geometry of the data", PI3: "π³", VGGT: "VGGT"}


def geometry_for(name: str, offer: Offer, sources: Sources) -> Geometry | None:
    """What gives a method its pointmaps; None where the method makes them itself.

    Raises:
        RunError, GeometryError, CheckpointError: it cannot be had.
    """
    if name == DATA:
        return from_data
    if name == PI3 and not offer.method.needs_geometry:
        return None
    provider = _provider(name, sources)

    def pointmaps(_scene: Scene, photographs: Sequence[bytes]) -> Pointmaps:
        return provider.pointmaps(photographs)

    return pointmaps


@cache
def _provider(name: str, sources: Sources) -> GeometryProvider:
    """A network, loaded once; its pointmaps are kept where there is a cache."""
    provider, identity = _NETWORKS[name](sources)
    return provider if sources.cache is None else CachedPointmaps(provider, sources.cache / "pointmaps", identity)


def _pi3(sources: Sources) -> tuple[GeometryProvider, str]:
    session, known = sources.pytorch("pi3")
    return Pi3Provider(session, sources.preset.geometry_pixels), known["sha256"]


def _vggt(sources: Sources) -> tuple[GeometryProvider, str]:
    path: Path | None = sources.vggt
    if path is None:
        raise RunError("--geometry vggt needs --vggt: the folder of an exported graph, or a state dict for its package")
    if path.is_dir():
        return VggtProvider.exported(path), sha256(path / "model.onnx")
    return VggtProvider(VggtPackage(path, sources.device)), sha256(path)


_NETWORKS: dict[str, Callable[[Sources], tuple[GeometryProvider, str]]] = {PI3: _pi3, VGGT: _vggt}
