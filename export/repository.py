"""`make repository`: model_repository/ and a preset's exported graphs become a repository that Triton can serve."""

import argparse
import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from mvsam.networks.presets import SAM2_DECODER, Decoder, Precision
from mvsam.pipeline.prompts import BOX_POINTS
from mvsam.runtime.artifacts import ArtifactError, verified
from mvsam.runtime.engines import PLAN, Machine, NoGpuError, check_engine
from mvsam.runtime.onnx import MODEL
from mvsam.runtime.signature import Signature

logger = logging.getLogger(__name__)

SOURCE = Path(__file__).resolve().parent.parent / "model_repository"
CONFIG = "config.pbtxt"
VERSION = "1"
SCENE = "mvsam_scene"
WITHOUT_MASK_DECODER = ("pi3", "sam2_encoder", SCENE)  # what is served with it


class Runtime(StrEnum):
    """What computes the graphs."""

    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"


MASKS_AT_ONCE = 5  # of a click, objects × views: the cores of a CPU take some each


def assemble(
    graphs: Path,
    output: Path,
    source: Path = SOURCE,
    runtime: Runtime = Runtime.ONNXRUNTIME,
    decoder: Decoder = Decoder.MVSAM,
) -> Path:
    """Builds the repository anew; it appears whole or not at all.

    Each model's config.pbtxt and model.py are copied; the preset's constants are written into the configs' parameters,
    the graphs' types and dims into their own configs' tensors. The graphs, verified against their manifests, are
    hard-linked (or copied across file systems).

    Args:
        graphs: folder with one exported graph a folder.
        output: the repository's folder.
        source: the models as they stand in the project.
        runtime: of the graphs; for TensorRT they are engines, which must belong to this machine.
        decoder: with SAM2's own there are scenes but no ensembles, and the decoder is part of `mvsam_scene`.

    Raises:
        ArtifactError: a graph is missing, changed, or of another preset than the others, or an engine not for here.
        NoGpuError: engines are asked for, and there is no GPU.
    """
    if decoder is Decoder.PROJECTION and runtime is Runtime.TENSORRT:
        raise ArtifactError("SAM2's own decoder is served by ONNX Runtime on CPUs only: leave out RUNTIME=tensorrt")
    models = [folder for folder in sorted(source.iterdir()) if (folder / CONFIG).is_file()]
    if decoder is Decoder.PROJECTION:
        models = [model for model in models if model.name in WITHOUT_MASK_DECODER]
    names = [model.name for model in models if is_graph(model)]
    check = verified if runtime is Runtime.ONNXRUNTIME else partial(check_engine, machine=Machine.here())
    manifests = {name: check(graphs / name) for name in names}
    if decoder is Decoder.PROJECTION:
        verified(graphs / SAM2_DECODER)
    for key, what in (("constants", "presets"), ("precision", "precisions")):
        found = {name: manifest[key] for name, manifest in manifests.items()}
        if len({str(value) for value in found.values()}) != 1:
            raise ArtifactError(
                f"{graphs}: the graphs are of different {what} ({found}): export all with `make export`"
            )
    values = next(iter(manifests.values()))["constants"]
    values |= {"runtime": runtime.value, "decode_masks": MASKS_AT_ONCE, "decoder": decoder.value}
    if "view_bytes" not in manifests["pi3"]:
        raise ArtifactError(f"{graphs / 'pi3'} was exported by an older version: export all with `make export`")
    values["encode_view_bytes"] = manifests["pi3"]["view_bytes"]
    most: dict[str, int | float] = {}
    if runtime is Runtime.TENSORRT:
        most = _within(manifests)
        values["decode_masks"] = most["decode_masks"]
    signatures = {name: Signature.of(manifest) for name, manifest in manifests.items()}
    texts = {model.name: at_most(with_parameters((model / CONFIG).read_text(), values), most) for model in models}
    for name, signature in signatures.items():
        texts[name] = with_tensors(texts[name], signature, source / name / CONFIG)
    temporary = output.with_name(output.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    for model in models:
        version = temporary / model.name / VERSION
        version.mkdir(parents=True)
        text = texts[model.name]
        if runtime is Runtime.TENSORRT:
            text = text.replace(f'backend: "{Runtime.ONNXRUNTIME}"', f'backend: "{runtime}"').replace(MODEL, PLAN)
        (temporary / model.name / CONFIG).write_text(text)
        for file in (model / VERSION).glob("*.py"):
            shutil.copyfile(file, version / file.name)
        if model.name in manifests:
            for file in (graphs / model.name).iterdir():
                link_or_copy(file, version / file.name)
    if decoder is Decoder.PROJECTION:
        shutil.copytree(graphs / SAM2_DECODER, temporary / SCENE / VERSION / SAM2_DECODER, copy_function=_link)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)
    return output


def _within(manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, int | float]:
    """What requests and the scenes' own calls may hold at most, so that no engine is given more than its profile."""
    profiles = {name: manifest["profile"] for name, manifest in manifests.items()}

    def most(graph: str, tensor: str, axis: int = 0) -> int:
        return profiles[graph][tensor][-1][axis]

    encoded = min(most("sam2_encoder", "images"), most("point_embedder", "image_embedding"))
    decoded = most("mask_decoder", "point_embedding")
    objects, points = most("mask_decoder", "prompt_points"), most("mask_decoder", "prompt_points", 1)
    masks = most("mask_decoder", "mask_prompts") - 1
    return {
        "max_views": min(most("pi3", "images"), encoded, decoded),
        "max_objects": objects,
        "max_points": points,
        "max_boxes": max(1, objects * (points // BOX_POINTS)),
        "max_masks": masks,
        "max_prompt_points": points,
        "max_aspect": manifests["pi3"]["aspect"],
        "encode_views": encoded,
        "decode_objects": objects,
        "decode_masks": min(masks, decoded),
    }


def is_graph(model: Path) -> bool:
    """Whether a model is computed by a runtime rather than by Python code or composition."""
    config = model / CONFIG
    return config.is_file() and 'backend: "onnxruntime"' in config.read_text()


def with_parameters(config: str, values: Mapping[str, int | float | str]) -> str:
    """A config.pbtxt with the named parameters' values replaced where it has them; all else, comments too, stays."""
    for key, value in values.items():
        pattern = rf'(key: "{key}"\s+value {{ string_value: )"[^"]*"'
        config = re.sub(pattern, rf'\g<1>"{value}"', config)
    return config


def at_most(config: str, limits: Mapping[str, int | float]) -> str:
    """A config.pbtxt with the named parameters lowered to these limits where they are above; all else stays."""
    for key, limit in limits.items():
        found = re.search(rf'key: "{key}"\s+value {{ string_value: "([^"]*)"', config)
        if found and float(found[1]) > limit:
            config = with_parameters(config, {key: limit})
    return config


def with_tensors(config: str, signature: Signature, path: Path) -> str:
    """A graph's config.pbtxt with the types and dims that the graph has; all else stays.

    Args:
        config: its text.
        signature: the graph's.
        path: of the file, for errors.

    Raises:
        ArtifactError: it does not declare a tensor of the graph.
    """
    for name, tensor in (*signature.inputs.items(), *signature.outputs.items()):
        pattern = rf'(name: "{name}",\s+data_type: )\w+(,\s+dims: )\[[^]]*\]'
        dims = ", ".join(map(str, tensor.dims))
        config, found = re.subn(pattern, rf"\g<1>{tensor.type}\g<2>[ {dims} ]", config)
        if found != 1:
            raise ArtifactError(
                f'{path} does not declare the graph\'s {name} once, as {{ name: "…", data_type: …, dims: […] }}'
            )
    return config


def _link(source: str, target: str) -> None:
    link_or_copy(Path(source), Path(target))


def link_or_copy(source: Path, target: Path) -> None:
    """Gives a file a second name, or copies it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def main() -> int:
    """Assembles a preset's repository."""
    parser = argparse.ArgumentParser(prog="make repository", description=main.__doc__)
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--precision", type=Precision, default=Precision.FP32, choices=list(Precision))
    parser.add_argument("--runtime", type=Runtime, default=Runtime.ONNXRUNTIME, choices=list(Runtime))
    parser.add_argument("--decoder", type=Decoder, default=Decoder.MVSAM, choices=list(Decoder))
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder of onnx/ and engines/")
    parser.add_argument("--output", type=Path, default=Path("build/repository"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        kind = "onnx" if arguments.runtime is Runtime.ONNXRUNTIME else "engines"
        graphs = arguments.build / kind / arguments.preset / arguments.precision
        output = assemble(
            graphs, arguments.output / arguments.preset, runtime=arguments.runtime, decoder=arguments.decoder
        )
    except (ArtifactError, NoGpuError) as error:
        logger.error("%s", error)
        return 1
    logger.info("repository of preset %s: %s", arguments.preset, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
