"""A task small enough to be trained in seconds: discs on a plane, a tiny encoder, a decoder of full width.

As a program, `python -m tests.unit.training.toy OUT STEPS [UNTIL]` trains it and writes the last loss to OUT/loss.txt.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import PRESETS, EncoderConfig
from mvsam.networks.seeded import seed_weights
from mvsam.pipeline.request import Geometry
from mvsam.pipeline.resizing import encoder_image
from mvsam.training.config import TrainingConfig
from mvsam.training.decoder_task import DecoderTask, PromptedEncoderDecoder
from mvsam.training.disturbance import Disturbance
from mvsam.training.loop import Trainer
from mvsam.training.losses import MaskLoss
from mvsam.training.placing import PlacedSample, place
from mvsam.training.prompt_sampling import PromptSampling

SIDE = 64
PRESET = replace(
    PRESETS["demo"],
    encoder=EncoderConfig(8, 1, (1, 1, 2, 1), (3,), (8, 4, 4, 2), (7, 7), SIDE),
    decoder=replace(PRESETS["demo"].decoder, mlp_dim=64),
)
SAMPLING = PromptSampling(clicks=6, fewest=6, negative_share=0.34, dense_share=0.3)
LOSS = MaskLoss(pixel_weight=5.0, dice_weight=1.0, alpha=0.5)


class Discs:
    """A bright disc on a dark plane; every example is drawn from its own generator."""

    def sample(self, step: int, example: int) -> PlacedSample:
        rng = np.random.default_rng((7, step, example))
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        row, column, radius = rng.uniform(20, 44), rng.uniform(20, 44), rng.uniform(8, 16)
        mask = (x - column) ** 2 + (y - row) ** 2 < radius**2
        photograph = np.where(mask[..., None], 200, 60).astype(np.uint8).repeat(3, axis=-1)
        points = np.stack([x, y, np.where(mask, 30.0, 60.0)], axis=-1).astype(np.float32)[None]
        shape = points.shape[:3]
        geometry = Geometry(points, np.ones(shape, np.float32), np.ones(shape, bool))
        image = encoder_image(photograph, SIDE)
        placed = place(image, geometry, mask[None], PRESET, SAMPLING, Disturbance(), rng)
        assert placed is not None
        return placed

    def held_out(self) -> dict[str, list[PlacedSample]]:
        return {"discs": [self.sample(10**6, example) for example in range(16)]}


def task() -> DecoderTask:
    encoder, decoder = Sam2ImageEncoder(PRESET.encoder), MaskDecoder(PRESET.decoder)
    for network in (encoder, decoder):
        seed_weights(network)
    return DecoderTask(PromptedEncoderDecoder(encoder, decoder), Discs(), LOSS)


def trainer(output: Path, steps: int, accumulate: int = 1) -> Trainer:
    config = TrainingConfig(
        steps=steps,
        batch=4,
        learning_rate=1e-3,
        warmup=2,
        checkpoint_every=2,
        validate_every=1000,
        log_every=5,
        accumulate=accumulate,
    )
    return Trainer(task(), config, output, cpu=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    run = trainer(folder, count)
    last = run.run(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    if run.accelerator.is_main_process:
        (folder / "loss.txt").write_text(repr(last))
