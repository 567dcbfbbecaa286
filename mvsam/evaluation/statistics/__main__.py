"""`python -m mvsam.evaluation.statistics`: the paper's Tables 7 and 8 on this machine, as docs/statistics.md."""

import argparse
import logging
import math
import shlex
import sys
from pathlib import Path

import torch

from mvsam.cores import available_cores
from mvsam.evaluation.speed.machine import provenance
from mvsam.evaluation.speed.measuring import Pace, measure
from mvsam.evaluation.speed.offers import UnavailableError
from mvsam.evaluation.speed.subjects import Subject
from mvsam.evaluation.statistics.counts import counts
from mvsam.evaluation.statistics.document import Statistics
from mvsam.evaluation.statistics.subjects import RUNTIMES, Footage
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import NETWORKS, PRESETS, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.runtime.artifacts import ArtifactError, write_text

logger = logging.getLogger(__name__)

PAPER_PRESET, PAPER_FRAMES = "large", 20  # of Tables 7 and 8


def main(arguments: list[str] | None = None) -> int:
    """Times MV-SAM and SAM2-Video by turns, counts what they hold and compute, and writes the document."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    command = shlex.join(
        ["python", "-m", "mvsam.evaluation.statistics", *(sys.argv[1:] if arguments is None else arguments)]
    )
    torch.backends.cudnn.allow_tf32 = False  # FP32 means FP32
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    facts = provenance(command, device)
    try:
        found = _run(chosen, device, facts)
    except (CheckpointError, ArtifactError) as error:
        logger.error("%s", error)
        return 1
    write_text(chosen.document, found.as_markdown())
    logger.info("Read %s", chosen.document)
    return 0


def _run(chosen: argparse.Namespace, device: torch.device, facts: dict[str, object]) -> Statistics:
    preset, frames = preset_named(chosen.preset), chosen.frames
    footage = Footage(
        preset,
        frames,
        device,
        threads=chosen.threads,
        seeded=chosen.seeded,
        weights=chosen.weights_directory,
        graphs=chosen.graphs,
    )
    subjects, missing = list[Subject](), list[str]()
    for runtime in chosen.runtimes:
        try:
            subjects += footage.mvsam(runtime)
        except UnavailableError as error:
            missing.append(f"{runtime}: {error}")
            logger.info("left out: %s", missing[-1])
    subjects += footage.sam2_video()
    sizes = dict.fromkeys([(PAPER_PRESET, PAPER_FRAMES), (preset.name, frames)])
    counted = [counts(preset_named(name), number) for name, number in sizes]
    results = measure(subjects, {}, device, Pace(chosen.rounds, math.inf))
    height, width = footage.layout.size
    facts |= {
        "preset": f"{preset.name}: π³ sees {height}×{width}, SAM2's encoder {preset.encoder.side}²",
        "weights": {name: known["source"] for name, known in footage.bench.provenance.items()},
    }
    return Statistics(facts, results, counted, missing)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mvsam.evaluation.statistics", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS), help="that is timed (%(default)s)")
    parser.add_argument("--frames", type=int, default=PAPER_FRAMES, help="of the timed scene (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="a call of each in every one (%(default)s)")
    parser.add_argument("--runtimes", nargs="+", default=list(RUNTIMES), choices=RUNTIMES, help="default: all")
    cores = available_cores()
    parser.add_argument("--threads", type=int, default=cores, help="of a CPU (%(default)s)")
    parser.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks given random weights")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--graphs", type=Path, default=Path("build/onnx"))
    parser.add_argument("--document", type=Path, default=Path("docs/statistics.md"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
