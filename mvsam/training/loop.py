"""The training loop: any number of processes, resumable to the exact step, with averaged weights.

Everything drawn for a step depends on the seed, the step and the example's number alone, or, where examples come in a
stream, on the epoch and the example's place, so a run that is killed and resumed sees the same examples.
"""

import contextlib
import itertools
import logging
import math
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from mvsam.networks.checkpoints import check_listing, shapes_of
from mvsam.training.config import Precision, TrainingConfig
from mvsam.training.fp32_attention import Fp32Attention
from mvsam.training.pace import Pace
from mvsam.training.precision import usable
from mvsam.training.stream import Stream, StreamState, total_skipped

logger = logging.getLogger(__name__)

FLOOR = 0.01  # of the learning rate, at the end
AHEAD = 2  # batches made in advance
CHECKPOINT = "checkpoint.pt"


class Task(Protocol):
    """What is trained: a model, its examples, its loss, its measure."""

    @property
    def model(self) -> nn.Module:
        """With the weights to start from."""
        ...

    def batch(self, step: int, examples: Sequence[int]) -> Any:
        """The examples of these numbers of a step; the same whoever asks, or else a stream's next."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the batch, and figures to log."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out examples."""
        ...

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Pictures of held-out examples, uint8 [h, w, 3]."""
        ...


class Trainer:
    """Runs a task.

    Args:
        task: what is trained.
        config: how.
        output: folder for the checkpoint and TensorBoard's logs.
        stream: what the task's batches are read from, where examples come in order; its state is checkpointed.
        cpu: stay off the GPU.

    Attributes:
        pace: of this process' steps so far.

    Raises:
        ValueError: the batch cannot be shared evenly, or the folder holds a run of another model or a damaged one.
    """

    def __init__(
        self, task: Task, config: TrainingConfig, output: Path, *, stream: Stream | None = None, cpu: bool = False
    ) -> None:
        self.task, self.config, self.output, self.stream = task, config, output, stream
        cpu = cpu or not torch.accelerator.is_available()
        precision = usable(config.precision, cpu=cpu)
        self.accelerator = Accelerator(
            mixed_precision=precision.value,
            gradient_accumulation_steps=config.accumulate,
            cpu=cpu,  # only then are several processes on a CPU one run
        )
        self.pace = Pace(self.accelerator.num_processes)
        self._check_divisible()
        trainable = {name: p for name, p in task.model.named_parameters() if p.requires_grad}
        optimiser = torch.optim.AdamW(_groups(trainable, config), lr=config.learning_rate, betas=(0.9, 0.95))
        # A copy made before the model's forward pass is wrapped for mixed precision: a wrapper would lead back to it.
        self.average = AveragedModel(task.model, multi_avg_fn=averaging(config.ema), use_buffers=False)
        self.average.to(self.accelerator.device)
        self.model, self.optimiser = self.accelerator.prepare(task.model, optimiser)
        slow_attention = cpu and precision is not Precision.FP32
        self._attention = Fp32Attention() if slow_attention else contextlib.nullcontext()
        self.step = 0
        self._used = stream.state() if stream else StreamState()
        self._load()

    def run(self, until: int | None = None) -> float:
        """Trains to the configured step, or to `until`; returns the last step's loss.

        A checkpoint is written at the end and every so many steps.

        Raises:
            ValueError: the loss is not finite; the last checkpoint stays as it is.
        """
        last = min(self.config.steps, until or self.config.steps)
        value = math.nan
        main = self.accelerator.is_main_process
        writer = SummaryWriter(str(self.output / "log")) if main else None
        batches = self._batches(last)
        with tqdm(total=self.config.steps, initial=self.step, unit="step", disable=not main) as bar:
            while self.step < last:
                started = time.monotonic()
                value, figures = self._advance(batches)
                if not math.isfinite(value):
                    raise ValueError(
                        f"the loss of step {self.step + 1} is {value}: run again to go on from the checkpoint in "
                        f"{self.output}; if that comes again, look at the data of the last steps, or begin anew"
                    )
                self.pace.add(self.config.batch, time.monotonic() - started)
                self.step += 1
                bar.update()
                if writer and self.step % self.config.log_every == 0:
                    rate = self.pace.samples_per_second
                    bar.set_postfix(loss=f"{value:.4f}", samples_per_s=f"{rate:.1f}")
                    for name, figure in {"loss": value, "samples per second": rate, **figures}.items():
                        writer.add_scalar(f"training/{name}", figure, self.step)
                if self.step % self.config.checkpoint_every == 0 or self.step == last:
                    self._save(writer)
                if writer and (self.step % self.config.validate_every == 0 or self.step == self.config.steps):
                    self._validate(writer)
            if self.pace.samples:
                rate, hours = self.pace.samples_per_second, self.pace.device_hours(10**6)
                bar.set_postfix(
                    loss=f"{value:.4f}", samples_per_s=f"{rate:.2f}", device_hours_per_million=f"{hours:.1f}"
                )
        if writer:
            writer.close()
        return value

    def _advance(self, batches: Iterator[tuple[Any, StreamState]]) -> tuple[float, dict[str, float]]:
        """One optimiser step; the loss is the mean over all processes and passes."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self._schedule() * group["rate"]
        self.model.train()
        losses: list[Tensor] = []
        figures: dict[str, Tensor] = {}
        for _ in range(self.config.accumulate):
            batch, self._used = next(batches)
            batch = to_device(batch, self.accelerator.device)
            with self.accelerator.accumulate(self.model), self.accelerator.autocast(), self._attention:
                loss, figures = self.task.loss(self.model, batch)
                self.accelerator.backward(loss)
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip)
                self.optimiser.step()
                self.optimiser.zero_grad()
            losses.append(loss.detach())
        self.average.update_parameters(self.accelerator.unwrap_model(self.model))
        mean = self.accelerator.gather(torch.stack(losses).mean()[None])
        return float(torch.as_tensor(mean).mean()), {name: float(value) for name, value in figures.items()}

    def _batches(self, last: int) -> Iterator[tuple[Any, StreamState]]:
        """This process' batches, pass by pass, each made while the one before it is trained on.

        With each comes where the stream stands after it: what is made in advance may never be used.
        """
        jobs = ((step, examples) for step in range(self.step, last) for examples in self._shares())

        def made(step: int, examples: list[int]) -> tuple[Any, StreamState]:
            return self.task.batch(step, examples), self.stream.state() if self.stream else StreamState()

        with ThreadPoolExecutor(1) as pool:
            pending = deque(pool.submit(made, *job) for job in itertools.islice(jobs, AHEAD))
            while pending:
                batch = pending.popleft().result()
                pending.extend(pool.submit(made, *job) for job in itertools.islice(jobs, 1))
                yield batch

    def _shares(self) -> Iterator[list[int]]:
        """This process' example numbers, pass by pass."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        size = self.config.batch // self.config.accumulate
        for start in range(0, self.config.batch, size):
            yield list(range(start + rank, start + size, world))

    def _check_divisible(self) -> None:
        parts = self.accelerator.num_processes * self.config.accumulate
        if self.config.batch % parts:
            raise ValueError(
                f"a batch of {self.config.batch} cannot be shared evenly by {self.accelerator.num_processes} processes"
                f" and {self.config.accumulate} accumulated passes: choose a multiple of {parts}"
            )

    def _schedule(self) -> float:
        if self.step < self.config.warmup:
            return (self.step + 1) / self.config.warmup
        done = (self.step - self.config.warmup) / max(1, self.config.steps - self.config.warmup)
        return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2

    def _validate(self, writer: SummaryWriter) -> None:
        self.average.eval()
        with torch.inference_mode():
            for name, figure in self.task.validate(self.average.module).items():
                writer.add_scalar(f"validation/{name}", figure, self.step)
                logger.info("step %d: %s %.4f", self.step, name, figure)
            for name, picture in self.task.pictures(self.average.module).items():
                writer.add_image(name, picture, self.step, dataformats="HWC")

    def _save(self, writer: SummaryWriter | None) -> None:
        """Writes under a temporary name, then renames: a run killed meanwhile resumes from the last whole one."""
        used: list[StreamState] = gather_object([self._used]) if self.stream else []
        if writer is None:
            return
        self.output.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "model": self.accelerator.unwrap_model(self.model).state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stream": [process.plain() for process in used],
        }
        temporary = self.output / (CHECKPOINT + ".tmp")
        torch.save(state, temporary)
        temporary.replace(self.output / CHECKPOINT)
        skipped = total_skipped(used)
        for cause, count in skipped.counts.items():
            writer.add_scalar(f"skipped/{cause}", count, self.step)
        if used and self.step == self.config.steps:
            logger.info("%s", skipped)

    def _load(self) -> None:
        path = self.output / CHECKPOINT
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            raise ValueError(
                f"{path} was damaged after it was written: put a copy back, or begin anew in another output"
            ) from None
        model = self.accelerator.unwrap_model(self.model)
        check_listing({key: tuple(tensor.shape) for key, tensor in state["model"].items()}, shapes_of(model), path)
        model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        if self.stream:
            self.stream.resume([StreamState.of(process) for process in state.get("stream", [])])
            self._used = self.stream.state()
        logger.info("resumed at step %d from %s", self.step, path)


def averaging(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Returns an exponential moving average for `AveragedModel`: its decay rises, so first weights are forgotten."""

    def update(averages: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        with torch.no_grad():
            for average, new in zip(averages, current, strict=True):
                average.lerp_(new, weight)

    return update


def _groups(parameters: dict[str, nn.Parameter], config: TrainingConfig) -> list[dict[str, Any]]:
    """Returns the optimiser's groups: matrices decay, vectors do not; trunks learn at a rate of their own."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        rate = config.trunk_rate if ".trunk." in name else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": some, "rate": rate, "weight_decay": decay} for (rate, decay), some in groups.items()]


def to_device(batch: Any, device: torch.device) -> Any:
    """Tensors of a (nested) tuple or mapping, moved."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, tuple):
        moved = [to_device(part, device) for part in batch]
        return type(batch)(*moved) if hasattr(batch, "_fields") else tuple(moved)
    return batch
