"""Training of the mask decoder on single views, with the image encoder frozen (the paper) or trained too (the demo)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.training.losses import MaskLoss
from mvsam.training.placing import PlacedSample


class DecoderBatch(NamedTuple):
    """B views and the O objects in them; see `PlacedSample` for the tensors."""

    images: Tensor
    grid_points: Tensor
    grid_low_confidence: Tensor
    prompt_points: Tensor
    prompt_low_confidence: Tensor
    prompt_labels: Tensor
    mask_prompts: Tensor
    mask_index: Tensor  # [O, 1]: row of mask_prompts, 0 for none
    targets: Tensor
    views: Tensor  # [O]: the view of each object


class SampleSource(Protocol):
    """Where training examples come from."""

    def sample(self, step: int, example: int) -> PlacedSample:
        """Example number `example` of a step; the same whoever asks."""
        ...

    def held_out(self) -> list[PlacedSample]:
        """Examples that are never trained on."""
        ...


def collate(samples: Sequence[PlacedSample]) -> DecoderBatch:
    """Samples side by side; their objects end to end."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([getattr(sample, name) for sample in samples]))

    masks, given = joined("mask_prompts"), joined("has_mask_prompt")
    rows = torch.cat([torch.zeros_like(masks[:1]), masks])[:, None]
    index = torch.where(given, torch.arange(1, len(given) + 1), 0).int()[:, None]
    counts = torch.tensor([len(sample.targets) for sample in samples])
    return DecoderBatch(
        stacked("image"),
        stacked("grid_points"),
        stacked("grid_low_confidence"),
        joined("prompt_points"),
        joined("prompt_low_confidence"),
        joined("prompt_labels"),
        rows,
        index,
        joined("targets"),
        torch.repeat_interleave(torch.arange(len(samples)), counts),
    )


class PromptedEncoderDecoder(nn.Module):
    """Image encoder and mask decoder as one model. A frozen encoder keeps its weights out of the optimiser."""

    def __init__(self, encoder: Sam2ImageEncoder, decoder: MaskDecoder, *, train_encoder: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.train_encoder = train_encoder
        encoder.requires_grad_(train_encoder)

    def forward(self, batch: DecoderBatch) -> Float[Tensor, "objects 4E 4E"]:
        with torch.set_grad_enabled(self.train_encoder and torch.is_grad_enabled()):
            features = self.encoder(batch.images)
        grid = PlacedGrid(batch.grid_points, batch.grid_low_confidence)
        prompts = PlacedPrompts(
            batch.prompt_points, batch.prompt_low_confidence, batch.prompt_labels, batch.mask_prompts, batch.mask_index
        )
        return self.decoder.paired(features, grid, prompts, batch.views)


class DecoderTask:
    """The task of the training loop.

    Args:
        model: encoder and decoder.
        source: of samples.
        mask_loss: the paper's, or another.
        validation_batch: samples at a time during validation.
    """

    def __init__(
        self, model: PromptedEncoderDecoder, source: SampleSource, mask_loss: MaskLoss, validation_batch: int = 16
    ) -> None:
        self.model, self.source, self.mask_loss = model, source, mask_loss
        self.validation_batch = validation_batch

    def batch(self, step: int, examples: Sequence[int]) -> DecoderBatch:
        return collate([self.source.sample(step, example) for example in examples])

    def loss(self, model: nn.Module, batch: DecoderBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the objects of each view, then over the views: every view counts alike."""
        logits = model(batch).float()
        each = self.mask_loss(logits, batch.targets)
        count = torch.bincount(batch.views, minlength=len(batch.images))
        loss = (each / count[batch.views]).sum() / len(batch.images)
        return loss, {"IoU": iou(logits.detach() > 0, batch.targets > 0.5).mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        held_out = self.source.held_out()
        device = next(model.parameters()).device
        values: list[Tensor] = []
        for start in range(0, len(held_out), self.validation_batch):
            batch = collate(held_out[start : start + self.validation_batch])
            logits = model(DecoderBatch(*(x.to(device) for x in batch)))
            values.append(iou(logits.cpu() > 0, batch.targets > 0.5))
        return {"mean IoU": float(torch.cat(values).mean())} if values else {}

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Photograph, exact mask and found mask of the first object of a few held-out samples, side by side."""
        rows = []
        device = next(model.parameters()).device
        for sample in self.source.held_out()[:4]:
            batch = collate([sample])
            found = model(DecoderBatch(*(x.to(device) for x in batch)))[0].cpu().sigmoid().numpy()
            side = sample.image.shape[-1]
            repeat = side // found.shape[-1]
            picture = np.clip(sample.image.transpose(1, 2, 0) * 0.225 + 0.45, 0, 1)
            masks = [
                np.kron(mask, np.ones((repeat, repeat)))[..., None].repeat(3, 2) for mask in (sample.targets[0], found)
            ]
            rows.append(np.concatenate([picture, *masks], axis=1))
        return {"held out": (255 * np.concatenate(rows)).astype(np.uint8)} if rows else {}


def iou(found: Tensor, exact: Tensor) -> Tensor:
    """IoU of each pair of masks; 1 where both are empty."""
    union = (found | exact).sum((-2, -1))
    return torch.where(union > 0, (found & exact).sum((-2, -1)) / union.clamp(min=1), 1.0)
