"""`python -m mvsam.evaluation.ablations`: the paper's ablations at demo scale, as docs/ablations.md."""

import argparse
import logging
import shlex
import subprocess
import sys
from pathlib import Path

import torch

from mvsam.evaluation.ablations.document import document
from mvsam.evaluation.ablations.queue import Results, finish, runs_of
from mvsam.evaluation.ablations.scenes import prepared
from mvsam.evaluation.ablations.tables import TABLES
from mvsam.evaluation.ablations.variants import PRESET, SCALES
from mvsam.networks.checkpoints import CheckpointError, WeightSource, load_network
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.runtime.artifacts import write_text

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Finishes the runs that tables need, then writes the document; run again to go on after an interruption."""
    parser = argparse.ArgumentParser(prog="python -m mvsam.evaluation.ablations", description=main.__doc__)
    parser.add_argument(
        "--table", choices=[table.key for table in TABLES], action="append", help="only this; repeatable"
    )
    parser.add_argument("--output", type=Path, default=Path("out/ablations"), help="scenes, features and results")
    parser.add_argument("--document", type=Path, default=Path("docs/ablations.md"))
    parser.add_argument(
        "--scale", choices=list(SCALES), default="full", help="taste: minutes, and figures of no meaning"
    )
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)  # a decoder this small gains nothing from a second one
    try:
        encoder, weights = load_network(PRESET, "sam2_encoder", WeightSource.FILES, chosen.weights_directory)
    except CheckpointError as error:
        logger.error("%s", error)
        return 1
    assert isinstance(encoder, Sam2ImageEncoder)
    scale = SCALES[chosen.scale]
    tables = [table for table in TABLES if chosen.table is None or table.key in chosen.table]
    material = prepared(chosen.output, scale, encoder, weights["sha256"])
    results, runs = Results(chosen.output, weights["sha256"]), runs_of(tables, scale)
    start = results.start(scale, material)
    for number, run in enumerate(runs, start=1):
        logger.info("run %d of %d: %s, seed %d", number, len(runs), run.variant.name, run.seed)
        finish(run, results, material, start, _commit())
    command = shlex.join(
        ["python", "-m", "mvsam.evaluation.ablations", *(sys.argv[1:] if arguments is None else arguments)]
    )
    text = document(results, scale, command)
    write_text(chosen.document, text)
    logger.info("Read %s", chosen.document)
    return 0


def _commit() -> str:
    """Of the code; a mark says that files differ from it."""
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
