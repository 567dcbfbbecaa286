"""What a source of geometry is to the harness."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from mvsam.evaluation.geometry.pointmaps import GeometryError, Pointmaps
from mvsam.pipeline.checks import check_request
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.limits import Limits


class GeometryProvider(Protocol):
    """A network, or anything else that makes pointmaps out of photographs."""

    @property
    def name(self) -> str:
        """As tables call it."""
        ...

    def pointmaps(self, photographs: Sequence[bytes]) -> Pointmaps:
        """One pointmap a photograph, in a common frame of any scale.

        Args:
            photographs: N encoded files.

        Raises:
            GeometryError: photographs that are refused, or a network that is missing or fails.
        """
        ...


def sizes_of(photographs: Sequence[bytes]) -> list[tuple[int, int]]:
    """(height, width) of each upright photograph, within the service's limits.

    Raises:
        GeometryError: the first that is refused.
    """
    try:
        return [header.size for header in check_request(photographs, None, Limits())]
    except RequestError as error:
        raise GeometryError(str(error)) from None


def decoded(photographs: Sequence[bytes]) -> Iterator[np.ndarray]:
    """Upright photographs, uint8 [h, w, 3], one at a time.

    Raises:
        GeometryError: one is damaged.
    """
    for view, data in enumerate(photographs):
        try:
            yield decode_photograph(data, f"IMAGES: view {view}")
        except RequestError as error:
            raise GeometryError(str(error)) from None


def check_views(name: str, pointmaps: Pointmaps) -> Pointmaps:
    """Pointmaps that have a valid pixel in every view.

    Raises:
        GeometryError: a view without one.
    """
    without = np.flatnonzero(~pointmaps.geometry.valid.any(axis=(1, 2)))
    if without.size:
        raise GeometryError(
            f"{name} found no finite point in view {without[0]}; check its weights, compute it in FP32, or leave the "
            "view out"
        )
    return pointmaps
