"""The rectangles of ground that objects cover, and whether two of them meet."""

from typing import NamedTuple

import numpy as np

from mvsam.synthetic.bodies import about_z


class Footprint(NamedTuple):
    """A rectangle: centre [2], half sides, and the direction of the first side in radians."""

    centre: np.ndarray
    half: tuple[float, float]
    yaw: float

    @property
    def axes(self) -> np.ndarray:
        """Unit vectors along the sides, as columns [2, 2]."""
        return about_z(self.yaw)[:2, :2]

    def meets(self, other: "Footprint", gap: float) -> bool:
        """Whether the rectangles come closer than a gap (separating axis theorem)."""
        between = other.centre - self.centre
        for axis in np.concatenate([self.axes, other.axes], axis=1).T:
            spans = sum(float(np.abs(axis @ r.axes) @ r.half) for r in (self, other))
            if abs(float(between @ axis)) > spans + gap:
                return False
        return True
