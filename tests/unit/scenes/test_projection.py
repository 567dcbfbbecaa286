"""Prompts found in other views by their 3-D points."""

from typing import Any

import numpy as np
import pytest

from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.scenes.projection import ProjectionSession, nearest, pixels_of
from mvsam.synthetic.scene import Scene, make_scene

HEIGHT, WIDTH, CELLS = 72, 96, 16
SIDE = 16 * CELLS


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(11, views=6, height=HEIGHT, width=WIDTH)


@pytest.fixture(scope="module")
def normalized(scene: Scene) -> NormalizedScene:
    geometry = Geometry.of(scene.points, np.ones(scene.points.shape[:3], np.float32))
    layout = Layout.of([(2 * HEIGHT, 2 * WIDTH)] * len(scene.images), HEIGHT * WIDTH, geometry)
    return NormalizedScene.of(geometry, layout.image_sizes, layout.geometry_rects, grid_side=CELLS)


class Marking:
    """A decoder that remembers its prompts and answers one everywhere."""

    def __init__(self) -> None:
        self.types: dict[str, np.dtype] = {}
        self.asked: list[dict[str, np.ndarray]] = []

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.asked.append(inputs)
        return {"mask_logits": np.ones((len(inputs["points"]), 4 * CELLS, 4 * CELLS), np.float32)}


def inputs_for(scene: Scene, normalized: NormalizedScene, prompts: Prompts) -> dict[str, np.ndarray]:
    rects = np.tile(np.array([0, 0, WIDTH, HEIGHT], np.float32), (len(scene.images), 1))
    views = np.arange(len(scene.images), dtype=np.float32)[:, None, None, None]
    features = {name: views for name in ("image_embedding", "high_res_0", "high_res_1")}
    return features | pixels_of(normalized, rects) | vars(normalized.lift(prompts))


def test_the_nearest_point_is_found_exactly():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, 5, 7, 3)).astype(np.float32)
    prompts = rng.normal(size=(3, 4, 3)).astype(np.float32)
    pixels, distances = nearest(points, prompts)
    for view in range(2):
        all_distances = np.linalg.norm(points[view][None, None] - prompts[:, :, None, None], axis=-1)
        assert np.allclose(distances[:, view], all_distances.min(axis=(2, 3)), atol=1e-6)
        columns, rows = np.moveaxis(pixels[:, view], -1, 0)
        assert np.array_equal(rows * 7 + columns, all_distances.reshape(3, 4, -1).argmin(axis=2))


def test_a_click_is_itself_in_its_own_view_and_on_the_same_object_elsewhere(scene, normalized):
    ids, counts = np.unique(scene.objects[0][scene.objects[0] >= 0], return_counts=True)
    wanted = ids[counts.argmax()]
    rows, columns = np.nonzero(scene.objects[0] == wanted)
    row, column = int(np.median(rows)), int(columns[rows == int(np.median(rows))][0]) + 1
    x, y = 2 * column + 1.0, 2 * row + 1.0
    decoder = Marking()
    prompts = Prompts.of([[[x, y]]], [[1]], [[0]])
    ProjectionSession(decoder, 0.05).run(inputs_for(scene, normalized, prompts))
    (asked,) = decoder.asked
    views, positions = asked["image_embedding"].ravel().astype(int), asked["points"][:, 0]
    assert views[0] == 0 and len(views) > 1
    # SAM2's coordinates are those of pixels' corners, half a pixel from the centre.
    assert np.allclose(positions[0] + 0.5, [(column + 0.5) / WIDTH * SIDE, (row + 0.5) / HEIGHT * SIDE], atol=1e-3)
    for view, (a, b) in zip(views[1:], positions[1:], strict=True):
        there = int((b + 0.5) / SIDE * HEIGHT), int((a + 0.5) / SIDE * WIDTH)
        distance = np.linalg.norm(scene.points[view][there] - scene.points[0, row, column])
        assert distance < 0.05 * 3**0.5 * float(normalized.statistics[3:6].max())


def test_views_without_a_positive_prompt_stay_empty(scene, normalized):
    decoder = Marking()
    prompts = Prompts.of([[[20, 20], [150, 100]]], [[1, 0]], [[0, 1]])
    # Nothing but a prompt's own pixel is as near as this.
    (logits,) = ProjectionSession(decoder, 1e-6).run(inputs_for(scene, normalized, prompts))["mask_logits"]
    assert (logits[0] > 0).all() and (logits[1:] < 0).all()
    assert decoder.asked[0]["labels"].tolist() == [[1]], "no padding, which SAM2 would take for a point"


def test_pixels_without_geometry_are_never_the_nearest(scene, normalized):
    assert normalized.geometry.valid.all()
    geometry: Any = Geometry.of(
        scene.points, np.ones(scene.points.shape[:3], np.float32), np.arange(WIDTH) % 2 == np.zeros((6, HEIGHT, 1))
    )
    layout = Layout.of([(HEIGHT, WIDTH)] * len(scene.images), HEIGHT * WIDTH, geometry)
    holed = NormalizedScene.of(geometry, layout.image_sizes, layout.geometry_rects, grid_side=CELLS)
    points = pixels_of(holed, layout.geometry_rects)["pixel_points"]
    pixels, _ = nearest(points, points[0, :, ::2].reshape(1, -1, 3)[:, ::50])
    assert (pixels[..., 0] % 2 == 0).all()
