"""Where rays meet simple solids: distances, normals and the local coordinates that textures are painted in."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

MISS = float("inf")
EPSILON = 1e-6


class Hit(NamedTuple):
    """The first meeting of each ray with one solid; the distance is infinite where there is none."""

    distance: Float[Tensor, "*rays"]
    normal: Float[Tensor, "*rays 3"]  # world frame, unit length, towards the ray's origin
    local: Float[Tensor, "*rays 3"]  # solid's own frame, metres


class Solid(Protocol):
    """Anything that rays can meet."""

    def hit(self, origin: Float[Tensor, "*rays 3"], direction: Float[Tensor, "*rays 3"]) -> Hit: ...


@dataclass(frozen=True)
class Sphere:
    """A ball: centre and radius in metres."""

    centre: tuple[float, float, float]
    radius: float

    def hit(self, origin: Float[Tensor, "*rays 3"], direction: Float[Tensor, "*rays 3"]) -> Hit:
        offset = origin - origin.new_tensor(self.centre)
        b = (offset * direction).sum(-1)
        discriminant = b * b - (offset * offset).sum(-1) + self.radius**2
        distance = -b - discriminant.clamp(min=0).sqrt()
        distance = torch.where((discriminant > 0) & (distance > EPSILON), distance, MISS)
        local = offset + direction * finite(distance)[..., None]
        return Hit(distance, local / self.radius, local)


@dataclass(frozen=True)
class Box:
    """A block turned about the vertical: centre and half sides in metres, yaw in radians.

    Seen from inside (a room), the far walls are met instead of the near ones.
    """

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    yaw: float = 0.0
    inside: bool = False

    def hit(self, origin: Float[Tensor, "*rays 3"], direction: Float[Tensor, "*rays 3"]) -> Hit:
        turn = self._turn(origin)
        start, heading = (origin - origin.new_tensor(self.centre)) @ turn, direction @ turn
        heading = torch.where(heading.abs() < EPSILON, EPSILON, heading)  # a ray along a face divides by zero
        half = origin.new_tensor(self.half)
        near, far = (-half * heading.sign() - start) / heading, (half * heading.sign() - start) / heading
        entry, leave = near.amax(-1), far.amin(-1)
        distance = leave if self.inside else entry
        met = (entry < leave) & (distance > EPSILON)
        axis = (far.argmin(-1) if self.inside else near.argmax(-1))[..., None]
        normal = torch.zeros_like(heading).scatter(-1, axis, -heading.gather(-1, axis).sign())
        distance = torch.where(met, distance, MISS)
        return Hit(distance, normal @ turn.T, start + heading * finite(distance)[..., None])

    def _turn(self, like: Tensor) -> Float[Tensor, "3 3"]:
        """Columns are the box's axes in the world."""
        yaw = like.new_tensor(self.yaw)
        zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
        rows = [[yaw.cos(), -yaw.sin(), zero], [yaw.sin(), yaw.cos(), zero], [zero, zero, one]]
        return torch.stack([torch.stack(row) for row in rows])


def finite(distance: Float[Tensor, "*rays"]) -> Float[Tensor, "*rays"]:
    """Distances with zero in place of a miss, so that what is computed from them stays a number."""
    return torch.where(distance.isinf(), 0.0, distance)
