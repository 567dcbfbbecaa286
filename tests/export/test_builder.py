"""TensorRT-RTX builds engines from the exported graphs on a CPU."""

import shutil
import threading
from pathlib import Path

import onnx
import pytest

from export.builder import BuildError, Options, build_plan
from export.profiles import Sizes
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision
from mvsam.runtime.artifacts import MANIFEST, ArtifactError, read_manifest, sha256, write_json
from mvsam.runtime.onnx import MODEL
from tests.shallow import SHALLOW

# Polygraphy calls a function that TensorRT-RTX has deprecated, and a warning raised inside the bindings is a crash.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def copied(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def named_again(folder: Path) -> None:
    """Makes the manifest name the files as they are now."""
    files = {path.name: sha256(path) for path in folder.iterdir() if path.name != MANIFEST}
    write_json(folder / MANIFEST, read_manifest(folder) | {"files": files})


@pytest.mark.parametrize("name", GRAPHS)
def test_an_fp16_engine_is_built_in_stages(name: str, built: Path) -> None:
    stages: list[str] = []
    folder = built / Precision.FP16 / name
    plan = build_plan(GRAPHS[name], SHALLOW, folder, Options(), stages.append, threading.Event())
    assert len(plan) > 100_000
    assert len(stages) > 2


def test_an_fp32_engine_is_built_with_attention_taken_apart(built: Path) -> None:
    folder = built / Precision.FP32 / "mask_decoder"
    assert build_plan(GRAPHS["mask_decoder"], SHALLOW, folder, Options(), print, threading.Event())


def test_a_graph_made_for_cpus_is_refused(demo_graphs: Path) -> None:
    with pytest.raises(BuildError, match=r"exported for a CPU.*make export PRESET=demo PRECISION=fp32 FOR=gpu"):
        build_plan(GRAPHS["mask_decoder"], SHALLOW, demo_graphs / "mask_decoder", Options(), print, threading.Event())


def test_a_refused_graph_is_named(built: Path, tmp_path: Path) -> None:
    folder = copied(built / Precision.FP32 / "mask_decoder", tmp_path / "mask_decoder")
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes().replace(b"LayerNormalization", b"LayerNormalizatiom"))
    named_again(folder)
    with pytest.raises(BuildError, match=r"mask_decoder: tensorrt_rtx .* builds no engine"):
        build_plan(GRAPHS["mask_decoder"], SHALLOW, folder, Options(), print, threading.Event())


def test_a_build_stops_when_it_is_told_to(built: Path) -> None:
    stop, stages = threading.Event(), []

    def report(stage: str) -> None:
        stages.append(stage)
        if len(stages) == 3:
            stop.set()

    with pytest.raises(BuildError, match="mask_decoder: the build was interrupted; nothing was installed"):
        build_plan(GRAPHS["mask_decoder"], SHALLOW, built / Precision.FP16 / "mask_decoder", Options(), report, stop)


def test_a_changed_graph_is_refused(built: Path, tmp_path: Path) -> None:
    folder = copied(built / Precision.FP16 / "mask_decoder", tmp_path / "mask_decoder")
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match=r"hash differs.*make export"):
        build_plan(GRAPHS["mask_decoder"], SHALLOW, folder, Options(), print, threading.Event())


@pytest.mark.parametrize("location", ["../outside.data", "/outside.data", "unnamed.data"])
def test_external_data_elsewhere_is_refused(location: str, built: Path, tmp_path: Path) -> None:
    folder = copied(built / Precision.FP16 / "mask_decoder", tmp_path / "graph" / "mask_decoder")
    (folder / (MODEL + ".data")).rename(tmp_path / "graph" / "outside.data")
    model = onnx.load(folder / MODEL, load_external_data=False)
    for weights in model.graph.initializer:
        for entry in weights.external_data:
            if entry.key == "location":
                entry.value = location
    onnx.save(model, folder / MODEL)
    named_again(folder)
    with pytest.raises(ArtifactError, match=r"keeps weights in .*outside its folder or unnamed.*make export"):
        build_plan(GRAPHS["mask_decoder"], SHALLOW, folder, Options(), print, threading.Event())


def test_sizes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="views 8 1: give usual and most"):
        Sizes(views=(8, 1))
    with pytest.raises(ValueError, match=r"aspect 0\.5"):
        Sizes(aspect=0.5)


def test_profiles_hold_every_photograph_of_the_aspect() -> None:
    large = PRESETS["large"]
    least, usual, most = Sizes(views=(8, 20), aspect=2.0).shapes(GRAPHS["pi3"], large)["images"]
    assert (least[0], usual[0], most[0]) == (1, 8, 20)
    assert usual[2:] == (434, 574)
    assert least[2] == least[3] == 350 and most[2] == most[3] == 714
