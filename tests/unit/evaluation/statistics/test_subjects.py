"""What is timed computes what it says, in every runtime."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from mvsam.evaluation.speed import offers
from mvsam.evaluation.speed.cases import Task, gathered
from mvsam.evaluation.speed.offers import Offer, UnavailableError, Workbench
from mvsam.evaluation.speed.runtimes import OfSession
from mvsam.evaluation.speed.sam2_video import HEIGHT, WIDTH
from mvsam.evaluation.speed.subjects import Subject
from mvsam.evaluation.statistics.subjects import Footage
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS, Graph
from mvsam.networks.presets import NETWORKS, PRESETS, Precision
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.request import Geometry
from mvsam.runtime.pytorch import PyTorchSession

DEMO = PRESETS["demo"]
FRAMES = 2


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    folder = tmp_path_factory.mktemp("nothing")
    return Footage(DEMO, FRAMES, torch.device("cpu"), threads=1, seeded=list(NETWORKS), weights=folder, graphs=folder)


@pytest.fixture(scope="module")
def eager(footage: Footage) -> list[Subject]:
    return list(footage.mvsam("eager"))


def of_arrays(bench: Workbench, graph: Graph, precision: Precision) -> Iterator[Offer]:
    """A runtime that takes and gives arrays of the host, as ONNX Runtime does."""
    network, _ = load_network(DEMO, graph.network, WeightSource.SEEDED, bench.weights)
    runtime = OfSession(PyTorchSession(graph, network))
    yield Offer("arrays", graph, runtime, runtime.place(bench.inputs(graph, precision)), 1)


def test_preparation_is_pi3_then_normalised_points_in_every_embedding(footage: Footage, eager: list[Subject]) -> None:
    (subject,) = (each for each in eager if each.case.task is Task.SCENE)
    found = gathered(subject.call())
    bench = footage.bench
    modules = {name: bench.module(graph, Precision.FP32) for name, graph in GRAPHS.items()}
    with torch.inference_mode():
        points, confidence, _ = modules["pi3"](**bench.inputs(GRAPHS["pi3"], Precision.FP32))
        embedding, high_res_0, _ = modules["sam2_encoder"](**bench.inputs(GRAPHS["sam2_encoder"], Precision.FP32))
        layout = footage.layout
        scene = NormalizedScene.of(
            Geometry.of(points.numpy(), confidence.numpy()),
            layout.image_sizes,
            layout.geometry_rects,
            grid_side=DEMO.grid_side,
        )
        low = torch.from_numpy(scene.grid_low_confidence)
        content, position = modules["point_embedder"](embedding, torch.from_numpy(scene.grid_points), low)
    assert not torch.allclose(position[0], position[1]), "views whose order could be mistaken are no test"
    for name, expected in (("high_res_0", high_res_0), ("point_embedding", content), ("point_position", position)):
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-3)


def test_a_click_is_the_same_in_every_setting_and_as_large_as_sam2_videos(eager: list[Subject]) -> None:
    clicks = [each for each in eager if each.case.task is Task.CLICK]
    assert len({each.way.setting for each in clicks}) == len(clicks) == 4, "two layouts, one view at a time and all"
    answers = [gathered(each.call())["mask_logits"] for each in clicks]
    assert answers[0].shape == (1, FRAMES, HEIGHT, WIDTH)
    for other in answers[1:]:
        torch.testing.assert_close(other, answers[0], rtol=1e-3, atol=1e-3)


def test_runtimes_of_arrays_give_the_same(
    footage: Footage, eager: list[Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(offers.FAMILIES, "onnxruntime", of_arrays)
    subjects = list(footage.mvsam("onnxruntime"))
    for task in (Task.SCENE, Task.CLICK):
        expected, found = (
            gathered(next(each for each in several if each.case.task is task).call()) for several in (eager, subjects)
        )
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-3)


def test_a_runtime_without_graphs_is_named(footage: Footage) -> None:
    with pytest.raises(UnavailableError, match="make export"):
        list(footage.mvsam("onnxruntime"))


def test_sam2_video_sees_the_same_frames(footage: Footage, eager: list[Subject]) -> None:
    encoding, propagation = footage.sam2_video()
    assert (encoding.case.task, propagation.case.task) == (Task.ENCODER, Task.PROPAGATION)
    assert encoding.case.views == propagation.case.views == FRAMES
    encoding.before()
    features = encoding.call()
    assert len(features) == FRAMES
    levels = [each["backbone_fpn"] for each in features]
    own = GRAPHS["sam2_encoder"].outputs
    scene = gathered(next(each for each in eager if each.case.task is Task.SCENE).call())
    for name, level in zip(("high_res_0", "high_res_1", "image_embedding"), (0, 1, 2), strict=True):
        assert name in own and torch.cat([each[level] for each in levels]).shape == scene[name].shape
    assert F.mse_loss(levels[0][0], levels[1][0]) > 0
