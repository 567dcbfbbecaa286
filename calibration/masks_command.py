"""`python -m calibration masks`: what a device makes of a preset's masks, at each precision."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calibration.chain import Networks
from calibration.report import masks_table
from calibration.scenes import CalibrationScene
from export.islands import reviewed_islands
from export.verify import MEAN_IOU, OUTPUT_ERROR, WORST_IOU, Verdict, verify
from mvsam.evaluation.markdown import facts, table
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision
from mvsam.runtime.artifacts import write_text

logger = logging.getLogger(__name__)


def run(
    networks: Networks,
    scenes: Sequence[CalibrationScene],
    precisions: Sequence[Precision],
    device: str,
    document: Path,
    known: dict[str, Any],
) -> None:
    """Writes the document.

    Args:
        networks: of the preset.
        scenes: to judge on.
        precisions: to try, with the reviewed islands in FP32.
        device: of the candidates, as PyTorch calls it. What they are held against is FP32 on the CPU.
        document: its path.
        known: of the machine, as `provenance` says.

    Raises:
        IslandsError: the reviewed file cannot be followed.
        ValueError: no scene yields a mask.
    """
    reviewed = reviewed_islands(networks.preset.name)
    reference = networks.segmenter({}, {})
    verdicts = {}
    for precision in precisions:
        candidate = networks.segmenter(dict.fromkeys(GRAPHS, precision), reviewed, device)
        verdicts[precision] = verify(reference, candidate, scenes)
        logger.info("%s: %s", precision, verdicts[precision])
    weights = {name: found["source"] for name, found in networks.weights.items()}
    known |= {"preset": networks.preset.name, "weights": weights, "scenes": len(scenes)}
    write_text(document, as_markdown(known, verdicts))


def as_markdown(known: dict[str, Any], verdicts: dict[Precision, Verdict]) -> str:
    """The document of the verdicts."""
    errors = [
        (graph, output, *(f"{verdict.errors[graph][output]:.1e}" for verdict in verdicts.values()))
        for graph, outputs in next(iter(verdicts.values())).errors.items()
        for output in outputs
    ]
    parts = [
        "# Masks at every precision",
        facts(known),
        f"PyTorch on the device against FP32 on the CPU, over the whole chain; accepted from a mean IoU of {MEAN_IOU}"
        f" and {WORST_IOU} in the worst view on, and outputs within {OUTPUT_ERROR}.",
        masks_table(verdicts),
        "## Outputs",
        "Largest difference over the output's largest value, each graph given what the reference's was given.",
        table(("graph", "output", *verdicts), errors),
    ]
    return "\n\n".join(parts) + "\n"
