"""What a run is: steps, rates, precision. What the paper leaves open is chosen here."""

from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """Of the forward pass; weights and optimiser stay FP32."""

    FP32 = "no"
    BF16 = "bf16"
    FP16 = "fp16"


@dataclass(frozen=True)
class TrainingConfig:
    """One run. AdamW, linear warm-up, cosine decay to a hundredth.

    Attributes:
        steps: optimiser steps.
        batch: examples a step, over all processes and accumulated passes.
        learning_rate: the highest.
        trunk_rate: share of the learning rate at which an image encoder's trunk learns.
        warmup: steps until then.
        weight_decay: of matrices; vectors decay not at all.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, which are what is validated and kept.
        accumulate: passes a step.
        precision: of the forward pass; `precision.usable` says what becomes of it on a CPU.
        seed: of everything that is drawn.
        checkpoint_every, validate_every, log_every: steps.
    """

    steps: int = 100_000
    batch: int = 32
    learning_rate: float = 1e-4
    trunk_rate: float = 1.0
    warmup: int = 1000
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.999
    accumulate: int = 1
    precision: Precision = Precision.FP32
    seed: int = 0
    checkpoint_every: int = 500
    validate_every: int = 2000
    log_every: int = 20
