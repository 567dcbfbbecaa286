"""Scenes to calibrate on are what the service takes, synthetic or photographed, and the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration.photographs import photographed_scenes
from calibration.scenes import synthetic_scenes
from mvsam.networks.presets import PRESETS
from mvsam.pipeline.checks import check_request
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import PADDING
from tests.clutter import clutter, in_capitals

DEMO = PRESETS["demo"]


class LeftIsSure:
    """A geometry network whose confidence falls from left to right."""

    types: dict[str, np.dtype] = {}  # noqa: RUF012

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        views, _, height, width = inputs["images"].shape
        return {"confidence": np.broadcast_to(np.linspace(1, 0, width, dtype=np.float32), (views, height, width))}


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two scenes, the first of five photographs of two sizes."""
    for scene, sizes in (("garden", [(40, 60)] * 4 + [(60, 40)]), ("house", [(50, 50)])):
        (tmp_path / scene).mkdir()
        for index, size in enumerate(sizes):
            Image.fromarray(np.full((*size, 3), 40 * index, np.uint8)).save(tmp_path / scene / f"{index}.jpg")
    (tmp_path / "house" / "notes.txt").write_text("not a photograph")
    return tmp_path


def test_synthetic_scenes_are_requests_with_clicks_on_two_objects() -> None:
    scenes = list(synthetic_scenes(2, views=4, side=48))
    assert len({scene.name for scene in scenes}) == 2
    for scene in scenes:
        check_request(scene.images, scene.prompts, Limits(), scene.geometry)
        assert (scene.prompts.point_labels != PADDING).sum(1).tolist() == [12, 1]
    (again,) = synthetic_scenes(1, views=4, side=48)
    assert again.images == scenes[0].images
    np.testing.assert_array_equal(again.prompts.points, scenes[0].prompts.points)


def test_photographs_are_clicked_on_where_geometry_is_sure(photographs: Path) -> None:
    garden, house = photographed_scenes(photographs, DEMO, LeftIsSure(), views=3)
    assert (garden.name, len(garden.images), garden.geometry) == ("garden", 3, None)
    assert house.name == "house"
    for scene in (garden, house):
        check_request(scene.images, scene.prompts, Limits())
    (alone,) = photographed_scenes(photographs / "house", DEMO, LeftIsSure())
    xs = [
        x
        for seed in range(20)
        for scene in photographed_scenes(photographs / "house", DEMO, LeftIsSure(), seed=seed)
        for x in scene.prompts.points[..., 0].ravel()
    ]
    assert 35 < max(xs) < 0.87 * 50, "the 15 % on the right are of low confidence"
    assert alone.images == house.images


def test_what_lies_beside_photographs_is_passed_over(photographs: Path) -> None:
    before = {scene.name: scene.images for scene in photographed_scenes(photographs, DEMO, LeftIsSure())}
    clutter(photographs)
    in_capitals(photographs)
    after = {scene.name: scene.images for scene in photographed_scenes(photographs, DEMO, LeftIsSure())}
    assert after == before


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no photographs: give a folder"):
        list(photographed_scenes(tmp_path, DEMO, LeftIsSure()))


def test_a_damaged_photograph_is_named(photographs: Path) -> None:
    (photographs / "house" / "0.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(ValueError, match=r"house, views 0\.jpg: IMAGES: view 0"):
        list(photographed_scenes(photographs / "house", DEMO, LeftIsSure()))


def test_too_few_views_are_refused() -> None:
    with pytest.raises(ValueError, match="2 views are too few"):
        synthetic_scenes(1, views=2)
