"""The served ensembles against the same chain in PyTorch, and what must not change its answers."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.pipeline.request import Geometry as Pointmaps
from mvsam.pipeline.request import Prompts
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.runtime.segmenter import Segmenter
from mvsam.synthetic.scene import Scene
from mvsam_client import Box, Click, Client, Geometry, MaskPrompt, Segmentation
from server.launcher import TritonServer
from tests.shallow import SHALLOW

OUTPUTS = ("mask_logits", "SCENE_STATISTICS", "IMAGE_SIZES", "GEOMETRY_RECTS")
CLICKS = [
    Click(view=0, x=200, y=150),
    Click(view=2, x=100, y=210),
    Click(view=1, x=30, y=40, positive=False),
    Click(view=1, x=90.5, y=120.25, object=1),
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """The chain with PyTorch in place of the server's runtime."""
    folder = tmp_path_factory.mktemp("weights")
    sessions = [
        PyTorchSession(graph, load_network(SHALLOW, graph.network, WeightSource.SEEDED, folder)[0])
        for graph in GRAPHS.values()
    ]
    return Segmenter(*sessions, encoder_side=SHALLOW.encoder.side, geometry_pixels=SHALLOW.geometry_pixels)


@pytest.fixture(scope="module")
def client(demo_server: TritonServer) -> Client:
    return Client(demo_server.grpc_url)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    print(f"largest difference {error:.1e} of the largest value")
    return error


def clicks_as_tensors(clicks: list[Click]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The clicks of CLICKS by object, padded."""
    rows = [[click for click in clicks if click.object == o] for o in range(2)]
    width = max(map(len, rows))
    points, labels = np.zeros((2, width, 2), np.float32), np.full((2, width), -1, np.int32)
    views = np.zeros((2, width), np.int32)
    for o, row in enumerate(rows):
        for p, click in enumerate(row):
            points[o, p], labels[o, p], views[o, p] = (click.x, click.y), int(click.positive), click.view
    return points, labels, views


def test_logits_are_those_of_pytorch(client: Client, reference: Segmenter, photographs: list[bytes]) -> None:
    painted = np.zeros((240, 160), np.uint8)
    painted[60:180, 40:120] = 255
    buffer = io.BytesIO()
    Image.fromarray(painted).save(buffer, "PNG")
    found = client.segment(
        photographs,
        points=CLICKS,
        boxes=[Box(view=3, x0=100, y0=120, x1=400, y1=420, object=1)],
        masks=[MaskPrompt(view=2, mask=painted > 0, object=0)],
        outputs=OUTPUTS,
    )
    prompts = Prompts.of(
        *clicks_as_tensors(CLICKS),
        boxes=np.array([[100, 120, 400, 420]], np.float32),
        box_objects=np.array([1], np.int32),
        box_views=np.array([3], np.int32),
        masks=[buffer.getvalue()],
        mask_objects=np.array([0], np.int32),
        mask_views=np.array([2], np.int32),
    )
    expected = reference.segment(photographs, prompts)
    assert expected.mask_logits.shape == (2, 4, 64, 64)
    assert relative(found.extra["mask_logits"], expected.mask_logits) < 1e-3
    assert relative(found.extra["SCENE_STATISTICS"], expected.normalized.statistics) < 1e-5
    assert found.sizes.tolist() == [[240, 320], [240, 320], [240, 160], [480, 640]]


def test_logits_with_the_users_geometry_are_those_of_pytorch(
    client: Client, reference: Segmenter, photographs: list[bytes], scene: Scene
) -> None:
    confidence = np.random.default_rng(0).random(scene.points.shape[:3], dtype=np.float32)
    valid = np.ones(confidence.shape, bool)
    valid[:, :20] = False
    found = client.segment(
        photographs, points=CLICKS, geometry=Geometry(scene.points, confidence, valid), outputs=OUTPUTS
    )
    prompts = Prompts.of(*clicks_as_tensors(CLICKS))
    expected = reference.segment(photographs, prompts, Pointmaps.of(scene.points, confidence, valid))
    assert relative(found.extra["mask_logits"], expected.mask_logits) < 1e-3


@pytest.mark.parametrize("own", [True, False], ids=["estimated geometry", "given geometry"])
def test_permuting_the_photographs_permutes_the_logits(
    client: Client, photographs: list[bytes], scene: Scene, own: bool
) -> None:
    order = [2, 0, 3, 1]
    confidence = np.random.default_rng(1).random(scene.points.shape[:3], dtype=np.float32)

    def ask(views: list[int]) -> Segmentation:
        clicks = [Click(views.index(c.view), c.x, c.y, c.positive, c.object) for c in CLICKS]
        geometry = None if own else Geometry(scene.points[views], confidence[views])
        images = [photographs[view] for view in views]
        return client.segment(images, points=clicks, geometry=geometry, outputs=OUTPUTS)

    straight, permuted = ask([0, 1, 2, 3]), ask(order)
    assert relative(permuted.extra["mask_logits"], straight.extra["mask_logits"][:, order]) < 1e-4
    assert relative(permuted.extra["SCENE_STATISTICS"], straight.extra["SCENE_STATISTICS"]) < 1e-5


def test_masks_are_the_thresholded_logits_at_each_photographs_size(client: Client, photographs: list[bytes]) -> None:
    result = client.segment(photographs, points=CLICKS, outputs=OUTPUTS)
    for view, (height, width) in enumerate(result.sizes):
        logits = Image.fromarray(result.extra["mask_logits"][0, view])
        upsampled = np.asarray(logits.resize((int(width), int(height)), Image.Resampling.BILINEAR))
        mask = result.masks[0][view]
        assert mask.shape == (height, width)
        assert mask.sum() == result.areas[0, view]
        assert (mask == (upsampled > 0)).mean() > 0.95  # sprinkles are gone
        assert 0 <= result.scores[0, view] <= 1


def test_answers_do_not_depend_on_what_else_is_asked_for(client: Client, photographs: list[bytes]) -> None:
    plain = client.segment(photographs, points=CLICKS)
    full = client.segment(photographs, points=CLICKS, outputs=("points", "confidence", "camera_poses", *OUTPUTS))
    assert np.array_equal(plain.areas, full.areas) and np.array_equal(plain.scores, full.scores)
    assert full.extra["points"].shape[0] == full.extra["camera_poses"].shape[0] == 4


def test_one_photograph_is_enough(client: Client, photographs: list[bytes]) -> None:
    result = client.segment(photographs[:1], points=[Click(view=0, x=100, y=100)])
    assert len(result.masks[0]) == 1


def test_command_line_writes_every_file(demo_server: TritonServer, photographs: list[bytes], tmp_path: Path) -> None:
    from mvsam_client.cli import main

    names = ["a.png", "b.jpg", "c.webp"]
    for name, content in zip(names, photographs[:3], strict=True):
        (tmp_path / name).write_bytes(content)
    out = tmp_path / "out"
    files = [str(tmp_path / name) for name in names]
    clicks = ["--click", "0:200,150", "--click", "1:30,40,-"]
    assert main(["segment", *files, *clicks, "--out", str(out), "--url", demo_server.grpc_url]) == 0
    assert len(list((out / "masks").iterdir())) == len(list((out / "overlays").iterdir())) == 3
    for name in ("contact_sheet.png", "annotations.json", "points.ply"):
        assert (out / name).stat().st_size > 1000 if name != "annotations.json" else (out / name).is_file()
