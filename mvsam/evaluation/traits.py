"""What makes an object hard to tell from its surroundings, read off a scene's exact points and masks."""

from enum import Enum

import numpy as np
from scipy.spatial import KDTree

from mvsam.synthetic.scene import Scene

REACH = 0.03  # metres between things that touch: objects that stand apart have four centimetres between them
SHARED_GROUND = 0.3  # of one object's points lie above or below another's where one is on, in or under the other
LONG = 2.5  # times the second of an object's principal extents
POINTS = 4000  # of an object that are looked at
FEWEST = 20  # points that an object is judged by
BEHIND = 0.02  # metres


class Trait(Enum):
    """A reason why a ball around the clicks is no good mask."""

    TOUCHING = "touching"
    STACKED = "stacked"
    ELONGATED = "elongated"


def traits(scene: Scene, target: int) -> frozenset[Trait]:
    """What is true of one object; only what some view shows counts."""
    own = _points(scene, target)
    if len(own) < FEWEST:
        return frozenset()
    others = [_points(scene, index) for index in range(len(scene.families)) if index != target]
    others = [points for points in others if len(points) >= FEWEST]
    extents = np.sqrt(np.linalg.eigvalsh(np.cov(own.T)))
    truths = {
        Trait.TOUCHING: any(_near(own, other).any() for other in others),
        Trait.STACKED: any(_shared_ground(own, other) >= SHARED_GROUND for other in others),
        Trait.ELONGATED: extents[2] >= LONG * extents[1],
    }
    return frozenset(trait for trait, true in truths.items() if true)


def hidden_shares(scene: Scene, target: int) -> np.ndarray:
    """How much of an object something else hides in each view.

    Its points, as all views together know them, are projected into every view; where another thing is seen in front of
    them, the object is hidden.

    Returns:
        float [N], a share of the pixels that the object would cover; 0 where it would cover none.
    """
    points = _points(scene, target)
    hidden = np.zeros(len(scene.depth))
    _, height, width = scene.depth.shape
    for view, (pose, lens) in enumerate(zip(scene.camera_poses, scene.intrinsics, strict=True)):
        x, y, z = ((points - pose[:3, 3]) @ pose[:3, :3]).T
        before = z > BEHIND
        columns = np.floor(lens[0, 0] * x[before] / z[before] + lens[0, 2]).astype(np.int64)
        rows = np.floor(lens[1, 1] * y[before] / z[before] + lens[1, 2]).astype(np.int64)
        seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns, depth = rows[seen], columns[seen], z[before][seen]
        covered = (scene.objects[view, rows, columns] != target) & (scene.depth[view, rows, columns] < depth - BEHIND)
        pixels, first = np.unique(rows * width + columns, return_index=True)
        hidden[view] = covered[first].mean() if pixels.size else 0.0
    return hidden


def _points(scene: Scene, index: int) -> np.ndarray:
    """At most POINTS of an object's points, evenly out of all views: [n, 3]."""
    points = scene.points[scene.mask(index)]
    return points[:: max(1, -(-len(points) // POINTS))]


def _near(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool [n]: whether each point has one of the others within reach."""
    distance, _ = KDTree(others).query(points, distance_upper_bound=REACH)
    return np.isfinite(distance)


def _shared_ground(points: np.ndarray, others: np.ndarray) -> float:
    """The larger share of either object's points that lie straight above or below the other's."""
    flat, flat_others = points[:, :2], others[:, :2]
    return float(max(_near(flat, flat_others).mean(), _near(flat_others, flat).mean()))
