"""Q/DQ goes where FP16 products are and nowhere else, and quantized encoders are installed only if masks stay."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from calibration import quantize, quantize_command
from calibration.quantize import ENCODERS, Format, QuantizationError, products, quantize_graph
from calibration.quantize_command import Quantization, quantize_preset
from calibration.scenes import CalibrationScene, synthetic_scenes
from export.compare import relative_errors
from export.verify import Overlap, Verdict
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision
from mvsam.runtime.artifacts import MANIFEST, ArtifactError, read_manifest, verified, write_json
from mvsam.runtime.onnx import MODEL, OnnxSession
from tests.shallow import SHALLOW

BLOCK = "image_encoder.trunk.blocks.0"


@pytest.fixture
def graphs(built: Path, tmp_path: Path) -> Path:
    """What `make export` leaves."""
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "demo").symlink_to(built)
    return tmp_path / "onnx"


@pytest.fixture
def scenes() -> list[CalibrationScene]:
    return list(synthetic_scenes(2, views=3, side=64))


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ModelOpt that changes nothing."""

    def copy(path: str, output_path: str, **_: Any) -> None:
        for file in Path(path).parent.iterdir():
            if file.name != MANIFEST:
                shutil.copy(file, Path(output_path).parent)

    monkeypatch.setattr(quantize, "_modelopt", lambda: copy)
    monkeypatch.setattr(quantize, "version", lambda _: "0")


def judged(pixels: int) -> Callable[..., Verdict]:
    masks = Overlap("scene", np.array([[pixels]]), np.array([[1000]]), np.array([4096]))
    return lambda *_: Verdict([masks], {name: {"output": 1e-3} for name in GRAPHS}, culprits=["sam2_encoder"])


def test_products_are_those_with_narrow_weights(built: Path) -> None:
    path = built / Precision.FP16 / "sam2_encoder" / MODEL
    model = onnx.load(path, load_external_data=False)
    found = products(path)
    weighted = {node.name for node in model.graph.node if node.op_type == "MatMul"}
    assert 20 < len(found) <= len(weighted) and weighted.issuperset(found)
    assert 0 < len(products(path, [BLOCK])) < len(found)


def test_an_unknown_module_is_refused_with_those_that_are_like_it(built: Path) -> None:
    with pytest.raises(QuantizationError, match=r"no product in a module named trunk\.blocks\.0; it has .*blocks"):
        products(built / Precision.FP16 / "sam2_encoder" / MODEL, ["trunk.blocks.0"])


def test_fp32_graphs_have_nothing_to_quantize(built: Path) -> None:
    with pytest.raises(QuantizationError, match="export it with PRECISION=mixed or fp16"):
        products(built / Precision.FP32 / "sam2_encoder" / MODEL)


@pytest.mark.skipif(importlib.util.find_spec("modelopt") is not None, reason="ModelOpt is installed")
def test_without_modelopt_it_says_how_to_get_it(built: Path, tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match=r"pip install -e '\.\[quantize\]'"):
        quantize_graph(built / Precision.FP16 / "pi3", tmp_path / "pi3", Format.INT8, [])
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("copying")
def test_accepted_encoders_are_installed_beside_the_other_graphs(
    graphs: Path, scenes: list[CalibrationScene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize_command, "verify", judged(1000))
    quantize_preset(Quantization(SHALLOW, Precision.FP16, Format.INT8), graphs, tmp_path / "int8", scenes)
    folder = tmp_path / "int8" / "demo"
    for name in GRAPHS:
        manifest = verified(folder / Precision.FP16 / name)
        assert ("quantized" in manifest) == (name in ENCODERS)
        assert verified(folder / Precision.FP32 / name)["precision"] == "fp32"


@pytest.mark.usefixtures("copying")
def test_refused_encoders_leave_what_was_there(
    graphs: Path, scenes: list[CalibrationScene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = tmp_path / "int8" / "demo"
    former.mkdir(parents=True)
    monkeypatch.setattr(quantize_command, "verify", judged(900))
    with pytest.raises(QuantizationError, match=r"mean 0\.9000(.|\n)*at fault: sam2_encoder\. Quantize less"):
        quantize_preset(Quantization(SHALLOW, Precision.FP16, Format.INT8), graphs, tmp_path / "int8", scenes)
    assert list((tmp_path / "int8").iterdir()) == [former] and not list(former.iterdir())


@pytest.mark.usefixtures("copying")
def test_graphs_of_other_weights_are_not_compared(graphs: Path, scenes: list[CalibrationScene], tmp_path: Path) -> None:
    other = tmp_path / "other" / "demo"
    shutil.copytree(graphs / "demo", other)
    for name in GRAPHS:
        manifest = read_manifest(other / Precision.FP16 / name)
        write_json(other / Precision.FP16 / name / MANIFEST, manifest | {"weights": {"sha256": "another"}})
    with pytest.raises(ArtifactError, match="exported from different weights: export both again"):
        quantize_preset(Quantization(SHALLOW, Precision.FP16, Format.INT8), other.parent, tmp_path / "int8", scenes)


def test_one_scene_cannot_both_scale_and_judge(graphs: Path, scenes: list[CalibrationScene], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least two scenes"):
        quantize_preset(Quantization(SHALLOW, Precision.FP16, Format.INT8), graphs, tmp_path, scenes[:1])


@pytest.mark.parametrize("kind", list(Format))
def test_modelopt_quantizes_products_and_keeps_islands(kind: Format, built: Path, tmp_path: Path) -> None:
    pytest.importorskip("modelopt", reason="the extra `quantize` is not installed")
    folder = built / Precision.FP16 / "sam2_encoder"
    images = np.random.default_rng(0).normal(size=(2, 3, 256, 256)).astype(np.float32)
    manifest = quantize_graph(folder, tmp_path / "quantized", kind, [{"images": images}], leave=[BLOCK])
    before, after = (
        onnx.load(path / MODEL, load_external_data=False).graph for path in (folder, tmp_path / "quantized")
    )
    count = {name: sum(node.op_type == name for node in after.node) for name in ("QuantizeLinear", "DequantizeLinear")}
    assert manifest["quantized"]["products"] == len(products(folder / MODEL, [BLOCK]))
    assert manifest["quantized"]["products"] > 0
    assert count["QuantizeLinear"] > 0
    assert count["DequantizeLinear"] >= 2 * manifest["quantized"]["products"]
    norms = [[node.name for node in graph.node if node.op_type == "LayerNormalization"] for graph in (before, after)]
    assert norms[0] == norms[1] != []
    expected, found = (OnnxSession(path).run({"images": images}) for path in (folder, tmp_path / "quantized"))
    assert 1e-4 < max(relative_errors(expected, found).values()) < 0.3
