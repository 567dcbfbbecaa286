"""How many steps fit into a time."""

import argparse
import re
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from accelerate.utils import broadcast_object_list

from mvsam.training.config import TrainingConfig
from mvsam.training.loop import Task, Trainer
from mvsam.training.stream import Stream

TIMED_STEPS = 20
UNITS = {"s": 1, "m": 60, "h": 3600}


def steps_within(task: Task, config: TrainingConfig, output: Path, seconds: float, stream: Stream | None = None) -> int:
    """How many steps fit into a time, measured on the first few; the same when a run is resumed, and in each process.

    The task's weights are moved: make it anew afterwards. Its stream is set back to the beginning.
    """
    plan = output / "steps.txt"
    if plan.is_file():
        return int(plan.read_text())
    with TemporaryDirectory() as folder:
        trainer = Trainer(task, replace(config, steps=TIMED_STEPS + 1), Path(folder), stream=stream)
        trainer.run(until=TIMED_STEPS // 2)
        started = time.monotonic()
        trainer.run(until=TIMED_STEPS)
        each = (time.monotonic() - started) / (TIMED_STEPS - TIMED_STEPS // 2)
    if stream:
        stream.resume([])
    steps = [max(TIMED_STEPS, int(seconds / each))]
    broadcast_object_list(steps)
    if trainer.accelerator.is_main_process:
        plan.parent.mkdir(parents=True, exist_ok=True)
        temporary = plan.with_suffix(".tmp")
        temporary.write_text(str(steps[0]))
        temporary.replace(plan)
    return steps[0]


def duration(text: str) -> float:
    """Seconds of e.g. 30m, 3h or 90s.

    Raises:
        argparse.ArgumentTypeError: it is no time.
    """
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write e.g. 30m or 3h")
    return float(int(match[1]) * UNITS[match[2]])


def add_length(parser: argparse.ArgumentParser) -> None:
    """The options --steps and --budget."""
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int)
    length.add_argument("--budget", type=duration, help="e.g. 30m: as many steps as fit")
