"""`python -m calibration ranges | masks | inputs | threshold | quantize`: what a preset's networks bear, on scenes."""

import argparse
import logging
import shlex
import sys
from pathlib import Path

import torch

from calibration import masks_command, quantize_command, ranges_command
from calibration.chain import Networks
from calibration.inputs import representative_inputs, write_inputs
from calibration.labelled import synthetic_labelled, user_labelled
from calibration.photographs import photographed_scenes
from calibration.quantize import ENCODERS, Format, QuantizationError
from calibration.scenes import CalibrationScene, synthetic_scenes
from calibration.threshold import write_sweep
from export.islands import IslandsError
from mvsam.evaluation.speed.machine import provenance
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import NETWORKS, PRESETS, Precision, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.runtime.artifacts import ArtifactError
from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.segmenter import Session

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    try:
        chosen.run(chosen)
    except (ArtifactError, CheckpointError, IslandsError, OSError, QuantizationError, ValueError) as error:
        logger.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m calibration", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ranges = commands.add_parser("ranges", help="activation ranges, proposed islands, and what they do to masks")
    masks = commands.add_parser("masks", help="what a device makes of masks at every precision")
    inputs = commands.add_parser("inputs", help="representative inputs of each graph, as npz files")
    threshold = commands.add_parser("threshold", help="masks by the share of points that count as low in confidence")
    quantize = commands.add_parser("quantize", help="INT8 or FP8 encoders, kept only if masks stay what they are")
    for command, run in (
        (ranges, _ranges), (masks, _masks), (inputs, _inputs), (threshold, _threshold), (quantize, _quantize)
    ):  # fmt: skip
        command.set_defaults(run=run)
        command.add_argument("--preset", default="demo", choices=list(PRESETS))
        command.add_argument("--scenes", type=int, default=20, help="synthetic ones (%(default)s)")
        command.add_argument("--views", type=int, default=4, help="photographs of a scene, at most (%(default)s)")
    for command in (ranges, masks, inputs, threshold):
        command.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks with random weights")
        command.add_argument("--weights-directory", type=Path, default=Path("weights"))
        command.add_argument("--output", type=Path, default=Path("out/calibration"))
    for command in (ranges, masks, inputs, quantize):
        command.add_argument("--photographs", type=Path, help="instead: a scene's folder, or one of such folders")
    masks.add_argument("--precision", nargs="+", type=Precision, default=list(Precision), choices=list(Precision))
    masks.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    masks.add_argument("--document", type=Path, help="default: masks.md with the output")
    threshold.add_argument("--masks", type=Path, help="instead: scenes with masks, as for training on one's own")
    quantize.add_argument("--format", type=Format, default=Format.INT8, choices=list(Format))
    quantize.add_argument(
        "--precision", type=Precision, default=Precision.MIXED, choices=[Precision.FP16, Precision.MIXED]
    )
    quantize.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=ENCODERS)
    quantize.add_argument(
        "--leave", nargs="*", default=[], metavar="GRAPH.MODULE", help="products that stay as they are"
    )
    quantize.add_argument("--graphs", type=Path, default=Path("build/onnx"))
    quantize.add_argument("--output", type=Path, help="build/onnx_<format> by default")
    return parser


def _networks(chosen: argparse.Namespace) -> Networks:
    return Networks.load(preset_named(chosen.preset), chosen.weights_directory, chosen.seeded)


def _scenes(chosen: argparse.Namespace, pi3: Session) -> list[CalibrationScene]:
    if chosen.photographs is None:
        return list(synthetic_scenes(chosen.scenes, views=chosen.views))
    return list(photographed_scenes(chosen.photographs, preset_named(chosen.preset), pi3, views=chosen.views))


def _ranges(chosen: argparse.Namespace) -> None:
    networks = _networks(chosen)
    scenes = _scenes(chosen, networks.segmenter({}, {}).pi3)
    logger.info("Look at %s", ranges_command.run(networks, scenes, chosen.output / chosen.preset))


def _masks(chosen: argparse.Namespace) -> None:
    torch.backends.cudnn.allow_tf32 = False  # FP32 means FP32
    known = provenance(shlex.join(["python", "-m", "calibration", *sys.argv[1:]]), torch.device(chosen.device))
    networks = _networks(chosen)
    scenes = _scenes(chosen, networks.segmenter({}, {}).pi3)
    document = chosen.document or chosen.output / chosen.preset / "masks.md"
    masks_command.run(networks, scenes, chosen.precision, chosen.device, document, known)
    logger.info("Read %s", document)


def _inputs(chosen: argparse.Namespace) -> None:
    segmenter = _networks(chosen).segmenter({}, {})
    inputs = representative_inputs(segmenter, _scenes(chosen, segmenter.pi3))
    for path in write_inputs(chosen.output / chosen.preset / "inputs", inputs):
        logger.info("%s", path)


def _threshold(chosen: argparse.Namespace) -> None:
    networks = _networks(chosen)
    if chosen.masks is None:
        scenes = synthetic_labelled(chosen.scenes, views=chosen.views)
    else:
        scenes = user_labelled(chosen.masks)
    path = chosen.output / chosen.preset / "threshold.md"
    logger.info("%s\nwritten to %s", write_sweep(path, networks, scenes), path)


def _quantize(chosen: argparse.Namespace) -> None:
    preset = preset_named(chosen.preset)
    pi3 = OnnxSession(chosen.graphs / preset.name / Precision.FP32 / "pi3")
    quantize_command.run(chosen, preset, _scenes(chosen, pi3))


if __name__ == "__main__":
    sys.exit(main())
