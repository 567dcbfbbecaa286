"""MV-SAM as a user has it: a running server, asked through the client."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam_client import Click as ClientClick
from mvsam_client import Client, Geometry, Scene


@dataclass(frozen=True)
class Triton:
    """The method.

    Attributes:
        name: as tables call it.
        client: of the server.
    """

    name: str
    client: Client
    needs_geometry: bool = False

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> "PreparedTriton":
        """Lets the server encode the scene; see `Method`."""
        geometry = None
        if pointmaps is not None:
            given = pointmaps.geometry
            geometry = Geometry(given.points, given.confidence, given.valid)
        return PreparedTriton(self.client.encode(photographs, geometry=geometry))


@dataclass(frozen=True)
class PreparedTriton:
    """A scene that the server keeps."""

    scene: Scene

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """See `Prepared`."""
        return self.refined(clicks, None)[0]

    def refined(self, clicks: Sequence[Click], former: str | None) -> tuple[list[np.ndarray], str]:
        """See `Refining`; answers are named as the server names them."""
        points = [ClientClick(view=each.view, x=each.x, y=each.y, positive=each.positive) for each in clicks]
        result = self.scene.segment(points=points, previous=former or "")
        return result.masks[0], result.answer

    def close(self) -> None:
        """Lets the server forget it."""
        self.scene.close()
