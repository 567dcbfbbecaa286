import numpy as np
import pytest

from mvsam.evaluation.benchmarks.agreement import agreement, shared_pixels
from mvsam.evaluation.benchmarks.synthetic import exact_pointmaps
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.synthetic.scene import Scene, Split, sample_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return sample_scene(3, Split.TEST, views=4, height=96, width=96)


@pytest.fixture(scope="module")
def pointmaps(scene: Scene) -> Pointmaps:
    return exact_pointmaps(scene)


def test_shared_pixels_show_the_same_thing(scene, pointmaps):
    pixels, places = shared_pixels(pointmaps, 0, 1)
    assert len(pixels) > 500
    distance = np.linalg.norm(scene.points[0].reshape(-1, 3)[pixels] - scene.points[1].reshape(-1, 3)[places], axis=1)
    assert np.median(distance) < 0.03
    assert (scene.objects[0].ravel()[pixels] == scene.objects[1].ravel()[places]).mean() > 0.9


def test_exact_masks_agree_and_others_do_not(scene, pointmaps):
    target = int(np.bincount(scene.objects[scene.objects >= 0]).argmax())
    exact = list(scene.mask(target))
    found = agreement(exact, pointmaps)
    assert found is not None and found > 0.8
    moved = [exact[0], *(np.roll(mask, 20, axis=1) for mask in exact[1:])]
    worse = agreement(moved, pointmaps)
    assert worse is not None and worse < found - 0.2


def test_masks_of_any_size_are_compared(scene, pointmaps):
    target = int(np.bincount(scene.objects[scene.objects >= 0]).argmax())
    larger = [mask.repeat(3, axis=0).repeat(3, axis=1) for mask in scene.mask(target)]
    assert agreement(larger, pointmaps) == agreement(list(scene.mask(target)), pointmaps)


def test_there_is_none_without_cameras_or_marks(scene, pointmaps):
    empty = [np.zeros((96, 96), bool)] * 4
    assert agreement(empty, pointmaps) is None
    assert agreement(list(scene.mask(0)), Pointmaps(pointmaps.geometry)) is None
