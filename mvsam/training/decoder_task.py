"""Training of the mask decoder on single views, with the image encoder frozen (the paper) or trained too (the demo)."""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mvsam.networks.image_encoder import ImageFeatures, Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.training.loop import to_device
from mvsam.training.losses import MaskLoss
from mvsam.training.placing import PlacedSample


class DecoderBatch(NamedTuple):
    """B views and the O objects in them; see `PlacedSample` for the tensors."""

    images: Tensor | ImageFeatures  # or what a frozen encoder made of them
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
        """Example number `example` of a step, the same whoever asks; or a stream's next, whatever its number."""
        ...

    def held_out(self) -> Iterable[PlacedSample]:
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
    features = [sample.features for sample in samples if sample.features is not None]
    encoded = ImageFeatures(*(torch.cat(part).float() for part in zip(*features, strict=True))) if features else None
    return DecoderBatch(
        encoded or stacked("image"),
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
    """Image encoder and mask decoder as one model; the identity for an encoder where features come with the batch."""

    def __init__(self, encoder: Sam2ImageEncoder | nn.Identity, decoder: MaskDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, batch: DecoderBatch) -> Float[Tensor, "objects 4E 4E"]:
        features: ImageFeatures = self.encoder(batch.images)
        grid = PlacedGrid(batch.grid_points, batch.grid_low_confidence)
        prompts = PlacedPrompts(
            batch.prompt_points, batch.prompt_low_confidence, batch.prompt_labels, batch.mask_prompts, batch.mask_index
        )
        return self.decoder.paired(features, grid, prompts, batch.views)


class DecoderTask:
    """The task of the training loop.

    Args:
        model: encoder and decoder, or the decoder alone.
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
        count = torch.bincount(batch.views, minlength=len(batch.grid_points))
        loss = (each / count[batch.views]).sum() / len(count)
        return loss, {"IoU": iou(logits.detach() > 0, batch.targets > 0.5).mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        held_out = iter(self.source.held_out())
        device = next(model.parameters()).device
        values: list[Tensor] = []
        while samples := list(itertools.islice(held_out, self.validation_batch)):
            batch = collate(samples)
            logits = model(to_device(batch, device))
            values.append(iou(logits.cpu() > 0, batch.targets > 0.5))
        return {"mean IoU": float(torch.cat(values).mean())} if values else {}

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Photograph, exact mask and found mask of the first object of a few held-out samples, side by side."""
        rows = []
        device = next(model.parameters()).device
        for sample in itertools.islice(self.source.held_out(), 4):
            found = model(to_device(collate([sample]), device))[0].cpu().sigmoid().numpy()
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
