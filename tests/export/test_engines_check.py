"""TensorRT-RTX builds engines from the exported graphs on a CPU."""

import shutil
from pathlib import Path

import pytest

from export.engines_check import BuildError, build
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS
from mvsam.runtime.artifacts import MANIFEST, sha256, write_json
from mvsam.runtime.onnx import MODEL

DEMO = PRESETS["demo"]
# Polygraphy calls a function that TensorRT-RTX has deprecated, and a warning raised inside the bindings is a crash.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("name", GRAPHS)
def test_an_engine_is_built(name: str, demo_graphs: Path) -> None:
    assert build(GRAPHS[name], DEMO, demo_graphs / name, (1, 8, 32)) > 100_000


def test_a_refused_graph_is_named(demo_graphs: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(demo_graphs / "mask_decoder", tmp_path / "mask_decoder"))
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes().replace(b"LayerNormalization", b"LayerNormalizatiom"))
    write_json(folder / MANIFEST, {"files": {p.name: sha256(p) for p in folder.iterdir() if p.name != MANIFEST}})
    with pytest.raises(BuildError, match=r"mask_decoder: TensorRT-RTX .* builds no engine"):
        build(GRAPHS["mask_decoder"], DEMO, folder, (1, 8, 32))
