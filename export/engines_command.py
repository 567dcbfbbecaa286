"""The command behind `make engines` and `make engines-check`."""

import argparse
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calibration.photographs import photographed_scenes
from calibration.scenes import CalibrationScene, synthetic_scenes
from export.builder import LIBRARY, USE_TENSORRT_RTX, BuildError, Options, library
from export.engines import Project, RefusedError
from export.islands import IslandsError, reviewed_islands
from export.memory import TooLargeError
from export.profiles import Sizes
from mvsam.networks.checkpoints import CheckpointError, WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import NETWORKS, PRESETS, Precision, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.runtime.artifacts import ArtifactError
from mvsam.runtime.engines import Machine, NoGpuError
from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.runtime.segmenter import Session
from mvsam.runtime.tensorrt import TensorRtSession

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Builds a preset's engines and accepts them by their masks."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    preset, precision = preset_named(chosen.preset), chosen.precision
    try:
        sizes = Sizes(tuple(chosen.views), tuple(chosen.objects), tuple(chosen.prompts), chosen.aspect)
        options = Options(
            sizes, chosen.workspace, chosen.timing_cache, chosen.version_compatible, chosen.hardware_compatible
        )
        machine = None if USE_TENSORRT_RTX else Machine.here()
        project = Project(preset, precision, chosen.graphs / preset.name, machine, options)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: project.stop.set())
        logger.info("%s %s for %s", LIBRARY, library().__version__, machine or "no GPU: nothing will be installed")
        runner = _stand_in(chosen, preset) if machine is None else _on_gpu
        verdict = project.make(chosen.output / preset.name / precision, runner, _scenes(chosen, project))
    except (
        ArtifactError, BuildError, CheckpointError, IslandsError, NoGpuError, RefusedError, TooLargeError, ValueError,
    ) as error:  # fmt: skip
        logger.error("%s", error)
        return 1
    logger.info("%s", verdict or "masks were not compared")
    where = "checked" if machine is None else f"installed in {chosen.output / preset.name / precision}"
    logger.info("engines of preset %s, %s: %s", preset.name, precision, where)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make engines", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument("--precision", type=Precision, default=Precision.MIXED, choices=list(Precision))
    usual = Sizes()
    for name in ("views", "objects", "prompts"):
        parser.add_argument(f"--{name}", type=int, nargs=2, default=getattr(usual, name), metavar=("USUAL", "MOST"))
    parser.add_argument("--aspect", type=float, default=usual.aspect, help="longest side over shortest, at most")
    parser.add_argument("--workspace", type=float, metavar="GIB", help="that a layer may use besides")
    parser.add_argument("--timing-cache", type=Path, help="kept between builds on the same card")
    parser.add_argument("--version-compatible", action="store_true", help="for later TensorRT versions too, slower")
    parser.add_argument("--hardware-compatible", action="store_true", help="for other cards from Ampere on, slower")
    parser.add_argument("--photographs", type=Path, help="scenes to accept the engines by; synthetic ones without")
    parser.add_argument(
        "--scenes", type=int, default=20, help="how many synthetic scenes; 0 only builds, and installs nothing"
    )
    parser.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks with random weights")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--graphs", type=Path, default=Path("build/onnx"))
    parser.add_argument("--output", type=Path, default=Path("build/engines"))
    return parser


def _on_gpu(graph: str, plan: bytes, manifest: dict[str, Any]) -> Session:
    return TensorRtSession(plan, manifest)


def _stand_in(chosen: argparse.Namespace, preset: Any) -> Any:
    """PyTorch in place of plans that cannot run here: the same network, every intermediate rounded."""
    islands = reviewed_islands(preset.name)

    def session(graph: str, plan: bytes, manifest: dict[str, Any]) -> Session:
        if "quantized" in manifest:
            raise ValueError(f"{graph} is quantized, and PyTorch cannot stand in for that: build only, by --scenes 0")
        name = GRAPHS[graph].network
        source = WeightSource.SEEDED if name in chosen.seeded else WeightSource.FILES
        network, _ = load_network(preset, name, source, chosen.weights_directory)
        return PyTorchSession(GRAPHS[graph], network, chosen.precision, islands[graph])

    return session


def _scenes(chosen: argparse.Namespace, project: Project) -> Iterator[CalibrationScene] | None:
    if chosen.photographs is None:
        return synthetic_scenes(chosen.scenes) if chosen.scenes else None
    pi3 = OnnxSession(project.graphs / Precision.FP32 / "pi3")
    return photographed_scenes(chosen.photographs, project.preset, pi3)


if __name__ == "__main__":
    sys.exit(main())
