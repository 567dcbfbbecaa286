"""Variants trained, all from the same start: a decoder of single photographs, as SAM2's is where the paper starts."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from mvsam.evaluation.ablations.inputs import DecoderInputs
from mvsam.evaluation.ablations.scenes import EncodedScenes
from mvsam.evaluation.ablations.task import AblatedDecoder, Batch, VariantTask
from mvsam.evaluation.ablations.variants import PRESET, Samples, Scale, Variant
from mvsam.networks.presets import Positions
from mvsam.training.config import Precision, TrainingConfig
from mvsam.training.loop import Trainer
from mvsam.training.matching_start import start_decoder

IN_SPACE = Variant("start", samples=Samples.SINGLE_VIEWS)
IN_PICTURES = replace(IN_SPACE, decoder=replace(PRESET.decoder, positions=Positions.IMAGE))
BASIS = "decoder.position_encoder.basis"
START_RATE, RATE = 1e-3, 3e-4  # a higher one would undo the start
SINGLE_VIEWS_A_STEP = 8


@dataclass(frozen=True)
class StartTask(VariantTask):
    """Single photographs, prompted in space and in the picture by turns, so that neither has an advantage later."""

    def batch(self, step: int, examples: Sequence[int]) -> Batch:
        """In space at even steps. A place in a picture is one in space with nothing along the third axis."""
        if step % 2 == 0:
            return super().batch(step, examples)
        batch = VariantTask(self.model, IN_PICTURES, self.scenes, self.scale, self.seed).batch(step, examples)
        features, grid, prompts = batch.inputs
        return batch._replace(
            inputs=DecoderInputs(
                features,
                grid._replace(points=F.pad(grid.points, (0, 1))),
                prompts._replace(points=F.pad(prompts.points, (0, 1))),
            )
        )


def starting_weights(folder: Path, scenes: EncodedScenes, scale: Scale) -> dict[str, Tensor]:
    """The start's weights, trained where they are not there yet.

    Args:
        folder: of this start alone.
        scenes: trained on.
        scale: of the study.
    """
    path = folder / "start.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        model = AblatedDecoder(IN_SPACE)
        start_decoder(model.decoder)
        task, checkpoints = StartTask(model, IN_SPACE, scenes, scale, seed=0), folder / "run"
        trained, _ = train(task, scale.start_steps, START_RATE, checkpoints)
        temporary = path.with_suffix(".tmp")
        save_file({name: weights.cpu().contiguous() for name, weights in trained.state_dict().items()}, temporary)
        temporary.replace(path)
        shutil.rmtree(checkpoints)
    return load_file(path)


def started(variant: Variant, seed: int, weights: dict[str, Tensor]) -> AblatedDecoder:
    """A new decoder with the start's weights, as the paper's has SAM2's; where it has two axes, with the first two."""
    torch.manual_seed(seed)
    model = AblatedDecoder(variant)
    axes = len(model.decoder.position_encoder.basis)
    model.load_state_dict({name: kept[:axes] if name == BASIS else kept for name, kept in weights.items()})
    return model


def train(
    task: VariantTask, steps: int, learning_rate: float, folder: Path, precision: Precision = Precision.BF16
) -> tuple[AblatedDecoder, float]:
    """Trains from where an interrupted run of the same folder stopped.

    Returns:
        The averaged model, in evaluation mode, and the seconds that each of these steps took.
    """
    trainer = Trainer(task, _config(task.variant, steps, learning_rate, task.seed, precision), folder)
    done, began = trainer.step, time.monotonic()
    trainer.run()
    seconds = (time.monotonic() - began) / max(1, trainer.step - done)
    average = trainer.average.module.eval()
    assert isinstance(average, AblatedDecoder)
    return average, seconds


def _config(variant: Variant, steps: int, learning_rate: float, seed: int, precision: Precision) -> TrainingConfig:
    """The same schedule for every variant."""
    return TrainingConfig(
        steps=steps,
        batch=1 if variant.samples is Samples.EIGHT_VIEWS else SINGLE_VIEWS_A_STEP,
        learning_rate=learning_rate,
        warmup=steps // 10,
        ema=0.98,
        precision=precision,
        seed=seed,
        checkpoint_every=50,
        validate_every=steps,
        log_every=20,
    )
