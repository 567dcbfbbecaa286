"""Clicks are carried to where their points are; hidden ones by the paper's form alone, those outside by none."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.evaluation.benchmarks.methods.answers import prompts_of
from mvsam.evaluation.benchmarks.methods.method import Method
from mvsam.evaluation.benchmarks.methods.reprojection import TOLERANCE, Form, Projection
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.image_decoder import GRAPH
from mvsam.networks.presets import PRESETS
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import Geometry
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.scenes.projection import FEATURES, ProjectionSession, pixels_of
from tests.unit.evaluation.made_scenes import PIXEL, SIDE, tiled

# A raised tile, which the cameras on the right see farther to the left: in views 1 and 2 it hides the floor at HIDDEN.
SCENE = tiled([(slice(20, 30), slice(30, 34), 1.0)])
HIDDEN, LEAVING, SEEN = (25, 24), (25, 2), (50, 40)  # row and column of floor in view 0
SQUARE = 4 * SIDE  # of the encoder: a logit for each pixel of the pointmaps
SIZES = [(2 * SIDE, 2 * SIDE), (SIDE, 2 * SIDE), (2 * SIDE, SIDE), (100, 90)]
SHIFTS = (0, 5, 10, 15)
LEAVING_OUT = (Form.CAMERAS, Form.NEAREST_POINT)


class Numbering:
    """An encoder whose features are the numbers of the views."""

    def __init__(self) -> None:
        self.types: dict[str, np.dtype] = {}
        self._seen = 0

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        numbers = self._seen + np.arange(len(inputs["images"]), dtype=np.float32)
        self._seen += len(numbers)
        return dict.fromkeys(FEATURES, numbers)


class Painting:
    """A decoder that marks a disk around each positive prompt, and remembers what each view was asked."""

    def __init__(self) -> None:
        self.types: dict[str, np.dtype] = {}
        self.points: dict[int, np.ndarray] = {}
        self.labels: dict[int, list[int]] = {}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert not inputs["has_mask"].any()
        v, u = np.mgrid[: SQUARE // 4, : SQUARE // 4]
        logits = np.full((len(inputs["points"]), *u.shape), -1, np.float32)
        for row, view in enumerate(inputs["image_embedding"].astype(int)):
            self.points[view], self.labels[view] = inputs["points"][row], inputs["labels"][row].tolist()
            for (x, y), label in zip((inputs["points"][row] + 0.5) / 4 - 0.5, self.labels[view], strict=True):
                if label == 1:
                    logits[row][np.hypot(u - x, v - y) <= 3] = 1
        return {"mask_logits": logits}

    def places(self, view: int) -> np.ndarray:
        """Prompts in pixels of the pointmap, the centre of the first at (0.5, 0.5)."""
        return (self.points[view] + 0.5) / SQUARE * SIDE


@pytest.fixture
def decoder() -> Painting:
    return Painting()


def photographs() -> list[bytes]:
    files = []
    for height, width in SIZES:
        buffer = io.BytesIO()
        Image.new("RGB", (width, height)).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


def pointmaps(valid: np.ndarray = SCENE.valid) -> Pointmaps:
    points = np.where(valid[..., None], SCENE.points, np.float32(np.nan))
    geometry = Geometry(points, np.ones(valid.shape, np.float32), valid)
    return Pointmaps(geometry, SCENE.camera_poses, SCENE.intrinsics)


def masks(form: Form, decoder: Painting, *clicks: Click, known: Pointmaps | None = None) -> list[np.ndarray]:
    method: Method = Projection("projection", Numbering(), decoder, SQUARE, form)
    prepared = method.prepare(photographs(), known or pointmaps())
    return prepared.masks(clicks)


def click(pixel: tuple[int, int], view: int = 0, positive: bool = True) -> Click:
    """On the centre of a pixel (row, column) of a pointmap."""
    (height, width), (row, column) = SIZES[view], pixel
    return Click(view, (column + 0.5) / SIDE * width - 0.5, (row + 0.5) / SIDE * height - 0.5, positive)


@pytest.mark.parametrize("form", Form)
def test_a_click_is_carried_to_its_own_point(form: Form, decoder: Painting) -> None:
    found = masks(form, decoder, click(SEEN))
    wanted = SCENE.points[0][SEEN]
    for view, size in enumerate(SIZES):
        assert found[view].shape == size and found[view].any()
        ((x, y),) = decoder.places(view)
        assert np.linalg.norm(SCENE.points[view, int(y), int(x)] - wanted) < PIXEL / 10
        # The disk is where the point is, in the photograph's own pixels.
        rows, columns = np.nonzero(found[view])
        assert abs((columns.mean() + 0.5) / size[1] * SIDE - x) < 0.5
        assert abs((rows.mean() + 0.5) / size[0] * SIDE - y) < 0.5


def test_hidden_points_are_marked_by_cameras_and_not_by_nearest_points(decoder: Painting) -> None:
    by_cameras = masks(Form.CAMERAS, decoder, click(HIDDEN))
    for view, shift in enumerate(SHIFTS):
        assert np.allclose(decoder.places(view), [[HIDDEN[1] + 0.5 - shift, HIDDEN[0] + 0.5]], atol=1e-3)
    by_points = masks(Form.NEAREST_POINT, Painting(), click(HIDDEN))
    assert [mask.any() for mask in by_cameras] == [True, True, True, True]
    assert [mask.any() for mask in by_points] == [True, False, False, True]


@pytest.mark.parametrize("form", LEAVING_OUT)
def test_what_is_outside_a_picture_is_dropped(form: Form, decoder: Painting) -> None:
    found = masks(form, decoder, click(LEAVING), click(SEEN))
    assert [len(decoder.points[view]) for view in range(4)] == [2, 1, 1, 1]
    assert all(mask.any() for mask in found)
    assert [mask.any() for mask in masks(form, Painting(), click(LEAVING))] == [True, False, False, False]


def test_what_is_outside_is_held_beyond_the_edge_where_none_is_left_out(decoder: Painting) -> None:
    masks(Form.CAMERAS_HELD, decoder, click(LEAVING), click(HIDDEN))
    for view, shift in enumerate(SHIFTS):
        wanted = [[column + 0.5 - shift, row + 0.5] for row, column in (LEAVING, HIDDEN)]
        assert np.allclose(decoder.places(view), wanted, atol=1e-3)


def test_what_is_behind_a_camera_is_dropped(decoder: Painting) -> None:
    poses = SCENE.camera_poses.copy()
    poses[2, :3, :3] = np.eye(3)  # looks up
    found = masks(Form.CAMERAS, decoder, click(SEEN), known=replace(pointmaps(), camera_poses=poses))
    assert [mask.any() for mask in found] == [True, True, False, True]


@pytest.mark.parametrize("form", Form)
def test_a_click_stays_where_it_is_in_its_own_view(form: Form, decoder: Painting) -> None:
    height, width = SIZES[3]
    masks(form, decoder, Click(3, 41.3, 77.9))
    assert np.allclose(decoder.points[3], [[42.3 - 0.5, 78.9 - 0.5] / np.array([width, height]) * SQUARE - 0.5])
    assert not np.allclose(decoder.places(3) % 1, 0.5, atol=0.1), "no pixel's centre"


@pytest.mark.parametrize("form", LEAVING_OUT)
def test_views_with_negative_clicks_alone_stay_empty(form: Form, decoder: Painting) -> None:
    found = masks(form, decoder, click(LEAVING), click(SEEN, positive=False))
    assert [mask.any() for mask in found] == [True, False, False, False]
    assert decoder.labels == {0: [1, 0]}, "nothing else was asked, and the negative click counts where there is another"


@pytest.mark.parametrize("form", Form)
def test_a_click_without_geometry_counts_in_its_own_view(form: Form, decoder: Painting) -> None:
    valid = SCENE.valid.copy()
    valid[0][SEEN] = False
    found = masks(form, decoder, click(SEEN), known=pointmaps(valid))
    assert [mask.any() for mask in found] == [True, False, False, False]


def test_by_nearest_points_it_asks_what_the_service_asks(decoder: Painting) -> None:
    clicks = [click(SEEN), click((30, 12), view=2), click(HIDDEN, positive=False)]
    masks(Form.NEAREST_POINT, decoder, *clicks)
    known = pointmaps()
    layout = Layout.of(SIZES, 0, known.geometry)
    scene = NormalizedScene.of(known.geometry, layout.image_sizes, layout.geometry_rects, grid_side=SQUARE // 16)
    service = Painting()
    features = dict.fromkeys(FEATURES, np.arange(len(SIZES)))
    placed = vars(scene.lift(prompts_of(clicks)))
    ProjectionSession(service, TOLERANCE).run(features | pixels_of(scene, layout.geometry_rects) | placed)
    assert decoder.labels == service.labels and len(decoder.labels) == len(SIZES)
    for view, points in service.points.items():
        assert np.allclose(decoder.points[view], points, atol=1e-3)


def test_cameras_and_pointmaps_are_asked_for(decoder: Painting) -> None:
    with pytest.raises(ValueError, match="camera poses and intrinsics"):
        masks(Form.CAMERAS, decoder, click(SEEN), known=replace(pointmaps(), intrinsics=None))
    with pytest.raises(ValueError, match="pointmaps"):
        Projection("projection", Numbering(), decoder, SQUARE, Form.CAMERAS).prepare(photographs(), None)


def test_sam2_s_own_networks_answer_at_the_photographs_sizes() -> None:
    demo = PRESETS["demo"]
    encoder, decoder = (
        PyTorchSession(graph, load_network(demo, graph.network, WeightSource.SEEDED, Path())[0])
        for graph in (GRAPHS["sam2_encoder"], GRAPH)
    )
    prepared = Projection("projection", encoder, decoder, demo.encoder.side, Form.CAMERAS).prepare(
        photographs(), pointmaps()
    )
    found = prepared.masks([click(SEEN), click(LEAVING)])
    assert [(mask.shape, mask.dtype) for mask in found] == [(size, np.dtype(bool)) for size in SIZES]
