"""Measures a preset's graphs on scenes, proposes islands and tries them on the masks."""

import logging
from collections.abc import Sequence
from pathlib import Path

from calibration.chain import Networks
from calibration.inputs import representative_inputs
from calibration.proposal import propose
from calibration.report import write_report
from calibration.scenes import CalibrationScene
from export.islands import reviewed_islands
from export.verify import verify
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision

logger = logging.getLogger(__name__)

MEASURED = 8  # scenes that ranges are measured on; masks are compared on all


def run(networks: Networks, scenes: Sequence[CalibrationScene], output: Path) -> Path:
    """Writes the report and returns its path.

    Args:
        networks: of the preset.
        scenes: to measure and judge on.
        output: folder of the report and the proposed islands.

    Raises:
        IslandsError: the reviewed file cannot be followed.
        ValueError: it names a module that a network does not have, or no scene yields a mask.
    """
    reviewed = reviewed_islands(networks.preset.name)
    reference = networks.segmenter({}, {})
    inputs = list(representative_inputs(reference, scenes[:MEASURED]))
    proposals = {}
    for name, graph in GRAPHS.items():
        given = [each[name] for each in inputs]
        proposals[name] = proposal = propose(graph, networks.modules[graph.network], given, reviewed[name])
        logger.info(
            "%s: %d places beyond FP16; islands to add: %s; %s",
            name, len(proposal.overflowing), ", ".join(proposal.islands) or "none", proposal.precision,
        )  # fmt: skip
    islands = {name: [*reviewed[name], *proposal.islands] for name, proposal in proposals.items()}
    verdicts = {}
    for precision in (Precision.FP16, Precision.MIXED):
        candidate = networks.segmenter(dict.fromkeys(GRAPHS, precision), islands)
        verdicts[precision] = verify(reference, candidate, scenes)
        logger.info("%s: %s", precision, verdicts[precision])
    return write_report(
        output,
        networks.preset.name,
        networks.weights,
        [scene.name for scene in scenes],
        proposals,
        reviewed,
        verdicts,
    )
