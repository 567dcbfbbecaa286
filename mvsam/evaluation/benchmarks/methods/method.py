"""What a method of segmentation is to the harness."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps


class Prepared(Protocol):
    """A scene that is ready to be asked about."""

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """The object's mask in each of the N views, bool [h, w] of its upright photograph's own size."""
        ...

    def close(self) -> None:
        """Lets go of what was kept for the scene."""
        ...


@runtime_checkable
class Refining(Prepared, Protocol):
    """One whose answers can be fed back."""

    def refined(self, clicks: Sequence[Click], former: Any) -> tuple[list[np.ndarray], Any]:
        """As `masks`, with a former answer as mask prompts.

        Args:
            clicks: all so far.
            former: the answer; None for the first click.

        Returns:
            The masks, and this answer.
        """
        ...


class Method(Protocol):
    """A way to segment."""

    @property
    def name(self) -> str:
        """As tables call it."""
        ...

    @property
    def needs_geometry(self) -> bool:
        """Whether it must be given pointmaps."""
        ...

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> Prepared:
        """Does all that does not depend on clicks.

        Args:
            photographs: N encoded files.
            pointmaps: of the N views; None leaves them to the method.

        Raises:
            ValueError: photographs or pointmaps that do not fit.
        """
        ...
