"""An exported graph is loaded only as its manifest names it."""

import json
import shutil
from pathlib import Path

import pytest

from export.repository import assemble, with_parameters, with_tensors
from export.to_onnx import ExportError, Typing, export_graph
from mvsam.networks.checkpoints import WeightSource
from mvsam.networks.graphs import GRAPHS
from mvsam.runtime.artifacts import MANIFEST, ArtifactError
from mvsam.runtime.onnx import MODEL, OnnxSession
from mvsam.runtime.signature import Signature, Tensor
from tests.shallow import SHALLOW


@pytest.fixture
def graph(demo_graphs: Path, tmp_path: Path) -> Path:
    """A copy of one graph, for a test to spoil."""
    return Path(shutil.copytree(demo_graphs / "mask_decoder", tmp_path / "mask_decoder"))


def test_manifest_says_what_was_exported_and_how_well(demo_graphs: Path) -> None:
    manifest = json.loads((demo_graphs / "pi3" / MANIFEST).read_text())
    assert manifest["preset"] == "demo" and manifest["opset"] == 23 and manifest["precision"] == "fp32"
    assert manifest["weights"] == {"source": "seeded random", "trained": False}
    assert 0 < max(manifest["errors"]["3 views"].values()) <= manifest["tolerance"] == 1e-5
    assert set(manifest["files"]) == {MODEL, MODEL + ".data"}


@pytest.mark.parametrize("name", [MODEL, MODEL + ".data"])
def test_changed_file_is_refused(graph: Path, name: str) -> None:
    content = bytearray((graph / name).read_bytes())
    content[len(content) // 2] ^= 1
    (graph / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name}.*hash differs.*make export"):
        OnnxSession(graph)


def test_file_that_the_manifest_does_not_name_is_refused(graph: Path) -> None:
    (graph / "extra.bin").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"extra\.bin is not named"):
        OnnxSession(graph)


def test_symbolic_link_is_refused(graph: Path, tmp_path: Path) -> None:
    (graph / MODEL).rename(tmp_path / "elsewhere.onnx")
    (graph / MODEL).symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(ArtifactError, match="not a plain file"):
        OnnxSession(graph)


def test_name_that_leaves_the_folder_is_refused(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.bin").write_bytes(b"x")
    manifest = json.loads((graph / MANIFEST).read_text())
    manifest["files"]["../outside.bin"] = "0" * 64
    (graph / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="not a plain file in its folder"):
        OnnxSession(graph)


def test_missing_manifest_names_the_remedy(graph: Path) -> None:
    (graph / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match="make export"):
        OnnxSession(graph)


def test_a_graph_beyond_its_tolerance_is_not_installed(tmp_path: Path) -> None:
    encoder, strict = GRAPHS["sam2_encoder"], Typing(tolerance=1e-12)
    with pytest.raises(ExportError, match=r"image_embedding differs by .* from FP32 PyTorch's; nothing was installed"):
        export_graph(encoder, SHALLOW, WeightSource.SEEDED, tmp_path, tmp_path / "out", strict)
    assert not (tmp_path / "out").exists()


def test_repository_holds_the_presets_constants_and_graphs(demo_repository: Path) -> None:
    assert (
        'key: "encoder_side"    value { string_value: "256" }'
        in (demo_repository / "preprocess" / "config.pbtxt").read_text()
    )
    assert (
        'key: "grid_side" value { string_value: "16" }'
        in (demo_repository / "pointmap_normalizer" / "config.pbtxt").read_text()
    )
    for name in GRAPHS:
        assert (demo_repository / name / "1" / MODEL).is_file()
    assert (demo_repository / "mvsam" / "1").is_dir()


def test_repository_of_a_spoilt_graph_is_not_assembled(demo_graphs: Path, tmp_path: Path) -> None:
    graphs = Path(shutil.copytree(demo_graphs, tmp_path / "graphs"))
    (graphs / "pi3" / (MODEL + ".data")).write_bytes(b"x")
    with pytest.raises(ArtifactError, match="hash differs"):
        assemble(graphs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_named_parameters_change() -> None:
    config = '# a comment\nparameters { key: "encoder_side" value { string_value: "1024" } }  # S\nmax_batch_size: 0\n'
    assert with_parameters(config, {"encoder_side": 256, "absent": 1}) == config.replace("1024", "256")


def test_only_the_graphs_tensors_change() -> None:
    config = (
        '  { name: "high_res_0", data_type: TYPE_FP32,  dims: [ -1, 32, -1, -1 ] },  # N\n'
        '  { name: "points", data_type: TYPE_FP32, dims: [ -1 ] }\n'
    )
    signature = Signature({"high_res_0": Tensor("TYPE_FP16", (-1, 32, 64, 64))}, {})
    changed = config.replace("TYPE_FP32", "TYPE_FP16", 1).replace("32, -1, -1", "32, 64, 64")
    assert with_tensors(config, signature, Path("config.pbtxt")) == changed


def test_graphs_without_a_list_of_tensors_are_exported_again(demo_graphs: Path, tmp_path: Path) -> None:
    graphs = Path(shutil.copytree(demo_graphs, tmp_path / "graphs"))
    manifest = json.loads((graphs / "pi3" / MANIFEST).read_text())
    del manifest["tensors"]
    (graphs / "pi3" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"manifest of pi3 does not list its tensors.*make export"):
        assemble(graphs, tmp_path / "out")
