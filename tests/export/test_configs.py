"""What `make repository` writes is what Triton loads: the rules of its C++ backends and of its ensembles hold."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.repository import SOURCE, assemble
from export.to_onnx import Typing, export_graph
from mvsam.networks.checkpoints import WeightSource
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, SAM2_DECODER, Decoder, Precision, Preset
from mvsam.runtime.artifacts import ArtifactError
from mvsam.runtime.onnx import MODEL

protocol: Any = model_config_pb2  # whose names no type checker can see
TYPES = {
    "tensor(float)": protocol.TYPE_FP32,
    "tensor(float16)": protocol.TYPE_FP16,
    "tensor(int32)": protocol.TYPE_INT32,
    "tensor(bool)": protocol.TYPE_BOOL,
}


def little(name: str) -> Preset:
    """A preset in everything but its depth."""
    preset = PRESETS[name]
    return replace(
        preset,
        pi3=replace(preset.pi3, encoder_depth=1, decoder_depth=2, head_depth=1),
        encoder=replace(preset.encoder, stages=(1, 1, 2, 1), global_blocks=(3,)),
        decoder=replace(preset.decoder, depth=1),
    )


def configs(repository: Path) -> dict[str, Any]:
    """Every model's config, by its name."""
    return {
        path.parent.name: text_format.Parse(path.read_text(), protocol.ModelConfig())
        for path in repository.glob("*/config.pbtxt")
    }


def refusals(config: Any, graph: Path) -> Iterator[str]:
    """What the C++ onnxruntime backend would say of a config, which compares dims with ONNX Runtime's."""
    session = onnxruntime.InferenceSession(str(graph / MODEL), providers=["CPUExecutionProvider"])
    for exact, declared, there in (
        (False, config.input, session.get_inputs()),
        (True, config.output, session.get_outputs()),
    ):
        tensors = {tensor.name: tensor for tensor in there}
        if set(tensors) != {tensor.name for tensor in declared}:
            yield f"{graph.name}: other tensors than {sorted(tensors)}"
            continue
        for tensor in declared:
            dims = [side if isinstance(side, int) else -1 for side in tensors[tensor.name].shape]
            given = list(tensor.dims)
            fits = len(dims) == len(given) and all(
                one == other or (one == -1 and not exact) for one, other in zip(dims, given, strict=True)
            )
            if not fits or TYPES[tensors[tensor.name].type] != tensor.data_type:
                yield f"{graph.name}, {tensor.name}: {tensor.data_type} {given}, the graph {dims}"


def inconsistencies(found: dict[str, Any]) -> Iterator[str]:
    """What Triton would say of the ensembles, which lets -1 pass on either side."""
    for name, ensemble in found.items():
        seen = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in (*ensemble.input, *ensemble.output)}
        for step in ensemble.ensemble_scheduling.step:
            model = found[step.model_name]
            for tensors, mapping in ((model.input, step.input_map), (model.output, step.output_map)):
                for tensor in tensors:
                    if tensor.name not in mapping:
                        continue
                    here = tensor.data_type, list(tensor.dims)
                    there = seen.setdefault(mapping[tensor.name], here)
                    consistent = len(here[1]) == len(there[1]) and all(
                        -1 in (one, other) or one == other for one, other in zip(here[1], there[1], strict=True)
                    )
                    if here[0] != there[0] or not consistent:
                        yield f"{name}, {mapping[tensor.name]}: {here} of {step.model_name}, {there}"


def check(repository: Path, graphs: Path) -> None:
    found = configs(repository)
    served = [name for name in GRAPHS if name in found]
    assert served
    assert [said for name in served for said in refusals(found[name], graphs / name)] == []
    assert list(inconsistencies(found)) == []


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_the_demos_configs_are_as_the_cpp_backend_wants_them(built: Path, tmp_path: Path, precision: Precision):
    graphs = built / precision
    check(assemble(graphs, tmp_path / "served"), graphs)


def test_those_for_sam2s_own_decoder_are_too(demo_graphs: Path, tmp_path: Path):
    graphs = tmp_path / "graphs"
    for name in ("pi3", "sam2_encoder"):
        shutil.copytree(demo_graphs / name, graphs / name)
    shutil.copytree(demo_graphs / "mask_decoder", graphs / SAM2_DECODER)  # any graph: Triton never loads it
    check(assemble(graphs, tmp_path / "served", decoder=Decoder.PROJECTION), graphs)


@pytest.fixture(scope="module", params=[Precision.FP32, Precision.FP16])
def official(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Typing]:
    """Folder of the graphs that all official presets share, and how they are typed."""
    folder, typing = tmp_path_factory.mktemp("official"), Typing(request.param)
    for name in GRAPHS.keys() - {"sam2_encoder"}:
        export_graph(GRAPHS[name], little("tiny"), WeightSource.SEEDED, folder, folder / name, typing)
    return folder, typing


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["tiny", "large"])
def test_those_of_the_official_presets_are_too(preset: str, official: tuple[Path, Typing], tmp_path: Path):
    folder, typing = official
    graphs = Path(shutil.copytree(folder, tmp_path / "graphs"))
    export_graph(GRAPHS["sam2_encoder"], little(preset), WeightSource.SEEDED, graphs, graphs / "sam2_encoder", typing)
    check(assemble(graphs, tmp_path / "served"), graphs)


def test_a_tensor_that_the_config_does_not_declare_is_named(demo_graphs: Path, tmp_path: Path):
    source = Path(shutil.copytree(SOURCE, tmp_path / "models"))
    config = source / "sam2_encoder" / "config.pbtxt"
    config.write_text(config.read_text().replace('"high_res_1"', '"high_res_2"'))
    with pytest.raises(ArtifactError, match=r"sam2_encoder/config\.pbtxt.*high_res_1"):
        assemble(demo_graphs, tmp_path / "served", source)
    assert not (tmp_path / "served").exists()
