"""`python -m calibration ranges | inputs | threshold | quantize`: what a preset's networks can bear, on scenes."""

import argparse
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from calibration.chain import Networks
from calibration.inputs import representative_inputs, write_inputs
from calibration.photographs import photographed_scenes
from calibration.proposal import propose
from calibration.report import write_report
from calibration.scenes import CalibrationScene, synthetic_scenes
from export.islands import IslandsError, reviewed_islands
from export.verify import verify
from mvsam.networks.checkpoints import NETWORKS, CheckpointError
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import PRESETS, Precision, preset_named

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand."""
    parser = argparse.ArgumentParser(prog="python -m calibration", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    ranged = commands.add_parser("ranges", help="activation ranges, proposed islands, and what they do to masks")
    ranged.set_defaults(run=_ranges)
    written = commands.add_parser("inputs", help="representative inputs of each graph, as npz files")
    written.set_defaults(run=_inputs)
    for command in (ranged, written):
        command.add_argument("--photographs", type=Path, help="a scene's folder, or a folder of such folders")
        command.add_argument("--scenes", type=int, default=8, help="synthetic ones otherwise (%(default)s)")
        command.add_argument("--views", type=int, default=4, help="photographs of a scene, at most (%(default)s)")
        command.add_argument("--preset", default="demo", choices=list(PRESETS))
        command.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks with random weights")
        command.add_argument("--weights-directory", type=Path, default=Path("weights"))
        command.add_argument("--output", type=Path, default=Path("out/calibration"))
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        chosen.run(chosen)
    except (CheckpointError, FileNotFoundError, IslandsError, ValueError) as error:
        logger.error("%s", error)
        return 1
    return 0


def _networks(chosen: argparse.Namespace) -> Networks:
    return Networks.load(preset_named(chosen.preset), chosen.weights_directory, chosen.seeded)


def _scenes(chosen: argparse.Namespace, networks: Networks) -> Iterator[CalibrationScene]:
    if chosen.photographs is None:
        return synthetic_scenes(chosen.scenes, views=chosen.views)
    pi3 = networks.segmenter({}, {}).pi3
    return photographed_scenes(chosen.photographs, networks.preset, pi3, views=chosen.views)


def _inputs(chosen: argparse.Namespace) -> None:
    networks = _networks(chosen)
    inputs = representative_inputs(networks.segmenter({}, {}), _scenes(chosen, networks))
    for path in write_inputs(chosen.output / chosen.preset / "inputs", inputs):
        logger.info("%s", path)


def _ranges(chosen: argparse.Namespace) -> None:
    reviewed = reviewed_islands(chosen.preset)
    networks = _networks(chosen)
    reference = networks.segmenter({}, {})
    scenes = list(_scenes(chosen, networks))
    inputs = list(representative_inputs(reference, scenes))
    proposals = {}
    for name, graph in GRAPHS.items():
        given = [each[name] for each in inputs]
        proposals[name] = proposal = propose(graph, networks.modules[name], given, reviewed[name])
        islands = ", ".join(proposal.islands) or "no islands to add"
        logger.info("%s: %s numbers beyond FP16; %s, %s", name, len(proposal.overflowing), islands, proposal.precision)
    proposed = {name: [*reviewed[name], *proposal.islands] for name, proposal in proposals.items()}
    verdicts = {}
    for precision in (Precision.FP16, Precision.MIXED):
        candidate = networks.segmenter(dict.fromkeys(GRAPHS, precision), proposed)
        verdicts[precision] = verify(reference, candidate, scenes)
        logger.info("%s: %s", precision, verdicts[precision])
    report = write_report(
        chosen.output / chosen.preset,
        chosen.preset,
        networks.weights,
        [scene.name for scene in scenes],
        proposals,
        reviewed,
        verdicts,
    )
    logger.info("Look at %s", report)


if __name__ == "__main__":
    sys.exit(main())
