"""The runs that tables need: trained one after another, each finished one kept, an interrupted one resumed."""

import hashlib
import json
import logging
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mvsam.evaluation.ablations.measuring import Examination
from mvsam.evaluation.ablations.scenes import Material
from mvsam.evaluation.ablations.tables import TABLES, Table
from mvsam.evaluation.ablations.task import VariantTask
from mvsam.evaluation.ablations.training import IN_SPACE, RATE, started, starting_weights, train
from mvsam.evaluation.ablations.variants import Evaluation, Scale, Variant
from mvsam.runtime.artifacts import write_json
from mvsam.synthetic.cache import VERSION as SCENES_VERSION

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One training and all that is asked of it afterwards."""

    variant: Variant
    seed: int
    scale: Scale
    evaluations: tuple[Evaluation, ...]


def runs_of(tables: Sequence[Table], scale: Scale) -> list[Run]:
    """The runs behind some tables, the first seed of all of them first, each once.

    A run is asked what any table wants to know of it, so that its result serves them all.
    """
    wanted = {(seed, row.variant) for table in tables for row in table.rows for seed in table.seeds}
    asked: dict[tuple[int, Variant], dict[Evaluation, None]] = {}
    for table in TABLES:
        for seed in table.seeds:
            for row in table.rows:
                asked.setdefault((seed, row.variant), {})[row.evaluation] = None
    ordered = sorted((key for key in asked if key in wanted), key=lambda key: key[0])
    return [Run(variant, seed, scale, tuple(asked[seed, variant])) for seed, variant in ordered]


@dataclass(frozen=True)
class Results:
    """Results in a folder, for one encoder.

    Attributes:
        folder: of all results.
        encoder: SHA-256 of the frozen encoder's weights.
    """

    folder: Path
    encoder: str

    def path(self, run: Run) -> Path:
        """Where a run's result is; another name for everything that would give other figures."""
        digest = hashlib.sha256(repr((run, IN_SPACE, self.encoder, SCENES_VERSION)).encode()).hexdigest()
        return self.folder / "results" / f"{run.variant.name}-{run.seed}-{digest[:12]}.json"

    def start(self, scale: Scale, material: Material) -> dict[str, Tensor]:
        """The weights that all runs of a scale start from, trained where they are not there yet."""
        digest = hashlib.sha256(repr((scale, IN_SPACE, self.encoder, SCENES_VERSION)).encode()).hexdigest()
        return starting_weights(self.folder / "start" / digest[:12], material.training, scale)

    def read(self, run: Run) -> dict[str, Any] | None:
        """A run's result; None where it is not finished."""
        path = self.path(run)
        return json.loads(path.read_text()) if path.is_file() else None


def finish(run: Run, results: Results, material: Material, start: dict[str, Tensor], commit: str) -> None:
    """Trains and asks, from where an interrupted run stopped; does nothing where the result is there.

    Args:
        run: what is to be done.
        results: where it is kept.
        material: scenes.
        start: weights that all runs start from.
        commit: of the code, for the record.
    """
    path = results.path(run)
    if path.is_file():
        logger.info("%s is there already", path.name)
        return
    checkpoints = results.folder / "runs" / path.stem
    task = VariantTask(started(run.variant, run.seed, start), run.variant, material.training, run.scale, run.seed)
    model, seconds = train(task, run.scale.steps, RATE, checkpoints)
    began, figures = time.monotonic(), {}
    for evaluation in run.evaluations:
        scenes = material.held_out if evaluation.frames is None else material.long
        figures[repr(evaluation)] = Examination(model, run.variant, evaluation, scenes).figures(run.scale.questions)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            "variant": repr(run.variant),
            "seed": run.seed,
            "scale": repr(run.scale),
            "encoder": results.encoder,
            "commit": commit,
            "date": date.today().isoformat(),
            "machine": _machine(),
            "seconds per step": seconds,
            "seconds of evaluation": time.monotonic() - began,
            "figures": figures,
        },
    )
    shutil.rmtree(checkpoints)
    logger.info("%s: IoU %s", path.name, ", ".join(f"{each['IoU'] or 0:.3f}" for each in figures.values()))


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"
