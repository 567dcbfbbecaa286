"""π³'s pointmaps cover their photographs, whatever their shapes, and come with cameras."""

import numpy as np
import pytest

from mvsam.evaluation.alignment import aligned_distances
from mvsam.evaluation.geometry.pi3 import Pi3Provider
from mvsam.evaluation.geometry.pointmaps import GeometryError
from tests.unit.evaluation.geometry.exact import (
    View,
    misses,
    moved,
    moved_pose,
    off_surface,
    photographs,
    rectangle,
    restored,
    views,
)

PIXELS = 84 * 112


class Oracle:
    """Exact points wherever a picture is not black, and nonsense elsewhere."""

    def __init__(self, taken: list[View]) -> None:
        self.types: dict[str, np.dtype] = {}
        self.taken = taken

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        images = inputs["images"]
        assert images.dtype == np.float32 and len(images) == len(self.taken) and 0 <= images.min() <= images.max() <= 1
        points = np.full((*images.shape[:1], *images.shape[2:], 3), 1e3, np.float32)
        confidence = np.full(points.shape[:3], 1e3, np.float32)
        for view, (image, camera) in enumerate(zip(images, self.taken, strict=True)):
            left, top, width, height = rectangle(image.any(0))
            inside = (view, slice(top, top + height), slice(left, left + width))
            points[inside] = moved(camera.points((height, width)))
            confidence[inside] = -np.linalg.norm(points[inside], axis=-1)
        poses = np.stack([moved_pose(camera.pose) for camera in self.taken])
        return {"points": points, "confidence": confidence, "camera_poses": poses.astype(np.float32)}


def test_photographs_of_one_shape_have_exact_pointmaps() -> None:
    taken = views((90, 120), (180, 241), (90, 120))
    found = Pi3Provider(Oracle(taken), PIXELS).pointmaps(photographs(taken))
    assert found.camera_poses is not None and found.intrinsics is not None
    exact = np.stack([view.points((84, 112)) for view in taken])
    assert aligned_distances(found.geometry.points, exact).max() < 1e-5
    for view, pose, lens in zip(taken, found.camera_poses, found.intrinsics, strict=True):
        np.testing.assert_allclose(pose, moved_pose(view.pose), atol=1e-5)
        np.testing.assert_allclose(lens, view.intrinsics((84, 112)), rtol=1e-3)
    assert misses(found).max() < 0.05


def test_bars_beside_photographs_of_another_shape_are_cut_off() -> None:
    taken = views((90, 120), (120, 90), (90, 120), (50, 130))
    found = Pi3Provider(Oracle(taken), PIXELS).pointmaps(photographs(taken))
    assert found.intrinsics is not None
    _, *size = found.geometry.valid.shape
    assert found.geometry.confidence.max() < 0, "nothing of the bars"
    assert off_surface(restored(found.geometry.points)).max() < 1e-4
    for view, lens, missed in zip(taken, found.intrinsics, misses(found), strict=True):
        np.testing.assert_allclose(lens, view.intrinsics((size[0], size[1])), rtol=1e-3)
        assert missed.max() < 2, "half a pixel of a picture that was laid in at down to a third of the size"


def test_points_that_are_not_finite_are_invalid() -> None:
    class Overflowing(Oracle):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = super().run(inputs)
            found["points"][0, 3, 4] = np.inf
            found["confidence"][1, 5, 6] = np.nan
            return found

    taken = views((84, 112), (84, 112))
    valid = Pi3Provider(Overflowing(taken), PIXELS).pointmaps(photographs(taken)).geometry.valid
    assert np.argwhere(~valid).tolist() == [[0, 3, 4], [1, 5, 6]]


def test_a_view_without_points_is_named() -> None:
    class Broken(Oracle):
        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = super().run(inputs)
            found["points"][1] = np.nan
            return found

    taken = views((84, 112), (84, 112))
    with pytest.raises(GeometryError, match=r"Pi3X found no finite point in view 1; .*FP32"):
        Pi3Provider(Broken(taken), PIXELS, name="Pi3X").pointmaps(photographs(taken))


def test_refused_photographs_are_named() -> None:
    taken = views((84, 112), (84, 112))
    provider, (first, second) = Pi3Provider(Oracle(taken), PIXELS), photographs(taken)
    for files, message in (
        ([], "send at least one photograph"),
        ([first, b"nothing"], "view 1 is in an unknown picture format"),
        ([first, second[:-20]], "view 1 is a truncated PNG"),
    ):
        with pytest.raises(GeometryError, match=message):
            provider.pointmaps(files)
