"""Engines are installed whole, after their masks agreed, or not at all; and loaded only where they belong."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import model_config_pb2

from calibration.scenes import CalibrationScene, synthetic_scenes
from export import engines
from export.builder import BuildError, Options
from export.engines import Project, RefusedError
from export.memory import TooLargeError, check_fits
from export.profiles import Sizes
from export.repository import Runtime, assemble
from export.verify import Overlap, Verdict
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision
from mvsam.pipeline.checks import check_prompt_limits
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.frames import geometry_size
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.normalization import normalize
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.runtime.artifacts import ArtifactError, read_manifest
from mvsam.runtime.engines import PLAN, Machine, NoGpuError, check_engine
from mvsam.runtime.segmenter import Session
from mvsam.runtime.signature import ConfigError, Signature
from tests.shallow import SHALLOW

protocol: Any = model_config_pb2  # whose names no type checker can see
CARD = Machine("11.4.0.106", "13.0", "NVIDIA H200", "9.0", 140 << 30)


class Nothing:
    """A session that no scene reaches."""

    def __init__(self) -> None:
        self.types: dict[str, Any] = {}

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError


def runner(graph: str, plan: bytes, manifest: dict[str, Any]) -> Session:
    return Nothing()


def verdict(agreed: bool) -> Callable[..., Verdict]:
    pixels = 1000 if agreed else 900
    errors = {name: {"output": 1e-3} for name in GRAPHS}
    scene = Overlap("scene", np.array([[pixels]]), np.array([[1000]]), np.array([4096]))
    return lambda *_: Verdict([scene], errors, culprits=[] if agreed else ["mask_decoder"])


@pytest.fixture
def project(built: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Of a card that is not there: plans are any bytes, and masks agree."""
    monkeypatch.setattr(engines, "build_plan", lambda graph, *_: graph.name.encode())
    monkeypatch.setattr(engines, "verify", verdict(True))
    return Project(SHALLOW, Precision.FP16, built, CARD)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_accepted_engines_are_installed_with_what_they_are_bound_to(project: Project, tmp_path: Path) -> None:
    project.make(tmp_path / "fp16", runner, [])
    for name in GRAPHS:
        manifest = check_engine(tmp_path / "fp16" / name, CARD)
        assert manifest["accepted"] and manifest["machine"]["capability"] == "9.0"
        assert manifest["onnx"] == read_manifest(project.graphs / "fp16" / name)["files"]
        assert manifest["achieved"]["mean IoU"] == 1 and manifest["achieved"]["outputs"] == {"output": 1e-3}
        assert manifest["profile"] and manifest["weights"]["source"] == "seeded random"
    assert not (tmp_path / "fp16.tmp").exists()


def test_refused_engines_leave_the_former_ones(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.make(tmp_path / "fp16", runner, [])
    before = files(tmp_path)
    monkeypatch.setattr(engines, "verify", verdict(False))
    monkeypatch.setattr(engines, "by_tensorrt", None)  # no layer is looked for
    with pytest.raises(RefusedError, match=r"mean 0\.9000 .*\n.*\n.*first graph at fault: mask_decoder"):
        project.make(tmp_path / "fp16", runner, [])
    assert files(tmp_path) == before


@pytest.mark.parametrize("stage", ["pi3", "mask_decoder", "masks"])
def test_interrupted_anywhere_it_leaves_the_former_ones(
    stage: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.make(tmp_path / "fp16", runner, [])
    before = files(tmp_path)

    def build(graph: Any, *others: Any) -> bytes:
        if graph.name == stage:
            raise BuildError("interrupted")
        return b"new"

    def interrupted(reference: object, candidate: object, scenes: Iterator[CalibrationScene]) -> Verdict:
        project.stop.set()
        list(scenes)
        raise AssertionError

    monkeypatch.setattr(engines, "build_plan", build)
    monkeypatch.setattr(engines, "verify", interrupted)
    with pytest.raises(BuildError, match="interrupted"):
        project.make(tmp_path / "fp16", runner, synthetic_scenes(1, views=3, side=64))
    assert files(tmp_path) == before


def test_a_killed_build_is_cleared_away_by_the_next(project: Project, tmp_path: Path) -> None:
    (tmp_path / "fp16.tmp" / "pi3").mkdir(parents=True)
    (tmp_path / "fp16.tmp" / "pi3" / PLAN).write_bytes(b"half")
    project.make(tmp_path / "fp16", runner, [])
    assert (tmp_path / "fp16" / "pi3" / PLAN).read_bytes() == b"pi3"
    assert not (tmp_path / "fp16.tmp").exists()


def test_without_a_gpu_nothing_is_installed(project: Project, tmp_path: Path) -> None:
    checked = Project(SHALLOW, Precision.FP16, project.graphs, None)
    assert checked.make(tmp_path / "fp16", runner, []) is not None
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_the_card_is_refused_with_the_numbers(built: Path, tmp_path: Path) -> None:
    small = Machine("11.4.0.106", "13.0", "small", "8.6", 1 << 26)
    sizes = Options(Sizes(views=(8, 100)))
    with pytest.raises(TooLargeError, match=r"pi3, fp16, images 100×3×.*GiB.*the card has 0\.1 GiB; allow fewer"):
        Project(SHALLOW, Precision.FP16, built, small, sizes).make(tmp_path / "fp16", runner, [])
    assert not list(tmp_path.iterdir())
    shapes = {"images": (100, 3, 112, 112)}
    with pytest.raises(TooLargeError, match=r"pi3, fp32, .*attention scores.*--precision mixed"):
        check_fits(GRAPHS["pi3"], SHALLOW, Precision.FP32, shapes, small.memory)


@pytest.mark.parametrize(
    ("here", "complaint"),
    [
        (Machine("11.5.0", "13.0", "NVIDIA H200", "9.0", 1), r"belongs to TensorRT 11\.4\.0\.106, here is 11\.5\.0"),
        (Machine("11.4.0.106", "13.0", "NVIDIA L4", "8.9", 1), r"built for NVIDIA H200 .*9\.0.*here is NVIDIA L4"),
        (Machine("11.4.0.106", "13.0", "NVIDIA B200", "10.0", 1), r"here is NVIDIA B200 \(10\.0\)"),
    ],
)
def test_an_engine_of_another_machine_is_refused(
    here: Machine, complaint: str, project: Project, tmp_path: Path
) -> None:
    project.make(tmp_path / "fp16", runner, [])
    with pytest.raises(ArtifactError, match=complaint + ".*make engines PRESET=demo PRECISION=fp16"):
        check_engine(tmp_path / "fp16" / "pi3", here)


def test_compatible_engines_run_on_later_machines_only(project: Project, tmp_path: Path) -> None:
    options = Options(version_compatible=True, hardware_compatible=True)
    Project(SHALLOW, Precision.FP16, project.graphs, CARD, options).make(tmp_path / "fp16", runner, [])
    later = Machine("11.9.0", "13.0", "NVIDIA B200", "10.0", 1)
    assert check_engine(tmp_path / "fp16" / "pi3", later)["accepted"]
    with pytest.raises(ArtifactError, match="NVIDIA L4"):
        check_engine(tmp_path / "fp16" / "pi3", Machine("11.4.0.106", "13.0", "NVIDIA L4", "8.9", 1))
    with pytest.raises(ArtifactError, match=r"here is 12\.0"):
        check_engine(tmp_path / "fp16" / "pi3", Machine("12.0", "13.0", "NVIDIA H200", "9.0", 1))


def test_a_changed_plan_is_refused(project: Project, tmp_path: Path) -> None:
    project.make(tmp_path / "fp16", runner, [])
    (tmp_path / "fp16" / "pi3" / PLAN).write_bytes(b"other")
    with pytest.raises(ArtifactError, match="hash differs"):
        check_engine(tmp_path / "fp16" / "pi3", CARD)


def test_a_graph_is_no_engine(built: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no engine: build one with `make engines`"):
        check_engine(built / "fp16" / "pi3", CARD)


def test_a_repository_of_engines_is_assembled_for_the_machine_they_belong_to(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.make(tmp_path / "fp16", runner, [])
    monkeypatch.setattr(Machine, "here", classmethod(lambda _: CARD))
    repository = assemble(tmp_path / "fp16", tmp_path / "served", runtime=Runtime.TENSORRT)
    config = (repository / "mask_decoder" / "config.pbtxt").read_text()
    assert 'backend: "tensorrt"' in config and f'default_model_filename: "{PLAN}"' in config
    assert 'name: "high_res_0",            data_type: TYPE_FP16' in config
    assert 'name: "prompt_points",         data_type: TYPE_FP32' in config
    assert (repository / "pi3" / "1" / PLAN).read_bytes() == b"pi3"
    assert 'backend: "python"' in (repository / "preprocess" / "config.pbtxt").read_text()


@pytest.fixture
def served(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of engines."""
    project.make(tmp_path / "fp16", runner, [])
    monkeypatch.setattr(Machine, "here", classmethod(lambda _: CARD))
    return assemble(tmp_path / "fp16", tmp_path / "served", runtime=Runtime.TENSORRT)


def given(repository: Path, model: str) -> dict[str, str]:
    """Parameters of a config."""
    text = (repository / model / "config.pbtxt").read_text()
    return dict(re.findall(r'key: "(\w+)"\s+value \{ string_value: "([^"]*)" \}', text))


def test_their_configs_are_as_the_cpp_backends_want_them(served: Path) -> None:
    for name in GRAPHS:
        text = (served / name / "config.pbtxt").read_text()
        config = MessageToDict(text_format.Parse(text, protocol.ModelConfig()), preserving_proto_field_name=True)
        signature = Signature.of(read_manifest(served / name / "1"))
        signature.check(name, config)
        dims = next(tensor["dims"] for tensor in config["output"])
        dims[0] = "3"
        with pytest.raises(ConfigError, match=f"{name}: .* gives output .*3"):
            signature.check(name, config)


def test_limits_follow_the_profile_of_the_engines(served: Path) -> None:
    of_scenes = given(served, "mvsam_scene")
    limits = Limits.from_parameters(given(served, "preprocess"))
    assert limits == Limits.from_parameters(of_scenes)
    assert (limits.max_views, limits.max_objects, limits.max_points, limits.max_masks) == (32, 8, 64, 32)
    assert (limits.max_prompt_points, limits.max_aspect, limits.max_boxes) == (64, 2.0, 40)
    assert limits.max_image_pixels == Limits().max_image_pixels
    assert [of_scenes[name] for name in ("encode_views", "decode_objects", "decode_masks")] == ["8", "8", "32"]


def test_no_request_within_the_limits_exceeds_a_profile(served: Path) -> None:
    """Which Triton's own TensorRT backend would answer with INTERNAL."""
    limits = Limits.from_parameters(given(served, "preprocess"))
    profile = {
        tensor: shapes for name in GRAPHS for tensor, shapes in read_manifest(served / name / "1")["profile"].items()
    }
    size = (60, 120)
    for boxes, masks, clicks in ((5, 0, 4), (0, 6, 4), (3, 2, 8), (0, 0, 64)):
        largest = prompts(limits.max_objects, boxes, masks, clicks, size)
        check_prompt_limits(largest, limits)
        for more in ((boxes, masks, clicks + 1), (boxes, masks + 1, clicks), (boxes + 1, masks, clicks)):
            with pytest.raises(RequestError, match="more than the 64 allowed"):
                check_prompt_limits(prompts(limits.max_objects, *more, size), limits)
        found = normalize(geometry(size), *views_of(size), largest, grid_side=SHALLOW.grid_side)
        for name, array in vars(found).items():
            if name in profile:
                least, _, most = profile[name]
                assert all(a <= side <= b for a, side, b in zip(least, array.shape, most, strict=True)), name
    for aspect in np.geomspace(1 / limits.max_aspect, limits.max_aspect, 501):
        least, _, most = read_manifest(served / "pi3" / "1")["profile"]["images"]
        shape = (limits.max_views, 3, *geometry_size(float(aspect), SHALLOW.geometry_pixels, SHALLOW.pi3.patch))
        assert all(a <= side <= b for a, side, b in zip(least, shape, most, strict=True)), aspect


def prompts(objects: int, boxes: int, masks: int, clicks: int, size: tuple[int, int]) -> Prompts:
    """So many of each: clicks for every object, boxes in view 0 and a mask a view for the first one."""
    height, width = size
    encoded = cv2.imencode(".png", np.pad(np.full((20, 20), 255, np.uint8), ((20, height - 40), (40, width - 60))))[1]
    return Prompts.of(
        np.full((objects, clicks, 2), 30, np.float32),
        np.ones((objects, clicks), np.int32), np.zeros((objects, clicks), np.int32),
        boxes=[[20.0, 20.0, 60.0, 40.0]] * boxes or None, box_objects=[0] * boxes, box_views=[0] * boxes,
        masks=[encoded.tobytes()] * masks, mask_objects=[0] * masks, mask_views=list(range(masks)),
    )  # fmt: skip


def geometry(size: tuple[int, int]) -> Geometry:
    """Of eight views: slopes."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    slopes = np.stack([np.stack([columns, rows, rows + columns], axis=-1)] * 8)
    return Geometry.of(slopes, np.ones(slopes.shape[:3], np.float32))


def views_of(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and rectangles of the eight, which fill their pointmaps."""
    return np.array([size] * 8, np.int32), np.array([[0, 0, size[1], size[0]]] * 8, np.float32)


def test_without_a_gpu_engines_are_not_served(built: Path, tmp_path: Path) -> None:
    with pytest.raises(NoGpuError, match=r"pip install|no GPU"):
        assemble(built / "fp16", tmp_path / "served", runtime=Runtime.TENSORRT)
    assert not list(tmp_path.iterdir())


def test_stop_is_an_event_of_each_project(built: Path) -> None:
    one, other = (Project(SHALLOW, Precision.FP16, built, None) for _ in range(2))
    one.stop.set()
    assert isinstance(other.stop, threading.Event) and not other.stop.is_set()
