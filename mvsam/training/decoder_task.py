"""Training of the mask decoder on single views, with the image encoder frozen (the paper) or trained too (the demo)."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mvsam.networks.image_encoder import ImageFeatures, Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.training.corrective_clicks import (
    ClickMap,
    Corrections,
    appended,
    corrected,
    opened,
    with_answer,
    worst_pixel,
)
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
    clicks: ClickMap  # what a click on each pixel of a target means
    chance: Tensor  # [O, D]: random numbers for corrective clicks
    rounds: int = 0  # answers that are corrected before the one that counts


class SampleSource(Protocol):
    """Where training examples come from."""

    def sample(self, step: int, example: int) -> PlacedSample:
        """Example number `example` of a step, the same whoever asks; or a stream's next, whatever its number."""
        ...

    def held_out(self) -> Mapping[str, Iterable[PlacedSample]]:
        """Examples that are never trained on, by kind of data."""
        ...


VALIDATED_CLICKS = (1, 3, 10)  # after so many corrective clicks IoU is measured


def collate(samples: Sequence[PlacedSample], rounds: int = 0) -> DecoderBatch:
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
        ClickMap(stacked("click_points"), stacked("click_low_confidence")),
        joined("chance"),
        rounds,
    )


class PromptedEncoderDecoder(nn.Module):
    """Image encoder and mask decoder as one model; the identity for an encoder where features come with the batch.

    Args:
        encoder, decoder: the networks.
        corrections: how answers are corrected within a call.
    """

    def __init__(
        self,
        encoder: Sam2ImageEncoder | nn.Identity,
        decoder: MaskDecoder,
        corrections: Corrections = Corrections(),  # noqa: B008  frozen
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.corrections = encoder, decoder, corrections

    def forward(self, batch: DecoderBatch) -> Float[Tensor, "objects 4E 4E"]:
        """The answer to the prompts, after those before it were corrected."""
        features: ImageFeatures = self.encoder(batch.images)
        prompts = placed_prompts(batch)
        if batch.rounds:
            prompts = opened(prompts, self.corrections, batch.chance[:, 0])
        size = 2 + self.corrections.clicks
        for start in range(1, 1 + batch.rounds * size, size):
            with torch.no_grad():
                answer = self.answer(features, batch, prompts)
            chance = batch.chance[:, start : start + size]
            prompts = corrected(prompts, answer, batch.targets, batch.clicks, batch.views, self.corrections, chance)
        return self.answer(features, batch, prompts)

    def answer(
        self, features: ImageFeatures, batch: DecoderBatch, prompts: PlacedPrompts
    ) -> Float[Tensor, "objects 4E 4E"]:
        """One pass of the decoder."""
        grid = PlacedGrid(batch.grid_points, batch.grid_low_confidence)
        return self.decoder.paired(features, grid, prompts, batch.views)


def placed_prompts(batch: DecoderBatch) -> PlacedPrompts:
    """The prompts that a batch brings."""
    return PlacedPrompts(
        batch.prompt_points, batch.prompt_low_confidence, batch.prompt_labels, batch.mask_prompts, batch.mask_index
    )


class DecoderTask:
    """The task of the training loop.

    Args:
        model: encoder and decoder, or the decoder alone.
        source: of samples.
        mask_loss: the paper's, or another.
        validation_batch: samples at a time during validation.
    """

    def __init__(
        self,
        model: PromptedEncoderDecoder,
        source: SampleSource,
        mask_loss: MaskLoss,
        validation_batch: int = 16,
    ) -> None:
        self.model, self.source, self.mask_loss = model, source, mask_loss
        self.validation_batch = validation_batch

    def batch(self, step: int, examples: Sequence[int]) -> DecoderBatch:
        rounds = self.model.corrections.rounds
        return collate([self.source.sample(step, example) for example in examples], rounds[step % len(rounds)])

    def loss(self, model: nn.Module, batch: DecoderBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over the objects of each view, then over the views: every view counts alike."""
        logits = model(batch).float()
        each = self.mask_loss(logits, batch.targets)
        count = torch.bincount(batch.views, minlength=len(batch.grid_points))
        loss = (each / count[batch.views]).sum() / len(count)
        return loss, {"IoU": iou(logits.detach() > 0, batch.targets > 0.5).mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean IoU with the sampled prompts, and after so many corrective clicks, by kind of data."""
        assert isinstance(model, PromptedEncoderDecoder)
        figures: dict[str, float] = {}
        for kind, samples in self.source.held_out().items():
            found: dict[str, list[Tensor]] = {}
            for batch in self._batches(samples, next(model.parameters()).device):
                features: ImageFeatures = model.encoder(batch.images)
                logits = model.answer(features, batch, placed_prompts(batch))
                found.setdefault("mean IoU", []).append(iou(logits.cpu() > 0, batch.targets.cpu() > 0.5))
                for clicks, values in corrective_iou(model, features, batch).items():
                    found.setdefault(f"IoU at {clicks}", []).append(values)
            figures |= {f"{kind}: {name}": float(torch.cat(values).mean()) for name, values in found.items()}
        return figures

    def _batches(self, samples: Iterable[PlacedSample], device: torch.device) -> Iterator[DecoderBatch]:
        iterator = iter(samples)
        while some := list(itertools.islice(iterator, self.validation_batch)):
            yield to_device(collate(some), device)

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Photograph, exact mask and found mask of the first object of a few held-out samples, side by side."""
        rows = []
        device = next(model.parameters()).device
        held_out = itertools.chain.from_iterable(itertools.islice(x, 4) for x in self.source.held_out().values())
        for sample in held_out:
            found = model(to_device(collate([sample]), device))[0].cpu().sigmoid().numpy()
            side = sample.image.shape[-1]
            repeat = side // found.shape[-1]
            picture = np.clip(sample.image.transpose(1, 2, 0) * 0.225 + 0.45, 0, 1)
            masks = [
                np.kron(mask, np.ones((repeat, repeat)))[..., None].repeat(3, 2) for mask in (sample.targets[0], found)
            ]
            rows.append(np.concatenate([picture, *masks], axis=1))
        return {"held out": (255 * np.concatenate(rows)).astype(np.uint8)} if rows else {}


def corrective_iou(
    model: PromptedEncoderDecoder, features: ImageFeatures, batch: DecoderBatch, *, fed_back: bool = False
) -> dict[int, Tensor]:
    """Returns the IoU of each object after 1, 3 and 10 clicks, each in the middle of the largest error.

    Args:
        model: whose answers are corrected.
        features: of the batch's images.
        batch: its own prompts are not used.
        fed_back: whether each answer is given as a mask with the next clicks.
    """
    exact = (batch.targets > 0.5).cpu().numpy()
    faint = ~exact.any((1, 2))  # objects of less than half a pixel everywhere
    exact[faint] = (batch.targets == batch.targets.amax((1, 2), keepdim=True)).cpu().numpy()[faint]
    found = np.zeros_like(exact)
    prompts = placed_prompts(batch)
    prompts = PlacedPrompts(
        prompts.points[:, :0],
        prompts.low_confidence[:, :0],
        prompts.labels[:, :0],
        prompts.masks[:1],
        torch.zeros_like(prompts.mask_index),
    )
    measured: dict[int, Tensor] = {}
    for clicks in range(1, max(VALIDATED_CLICKS) + 1):
        pixels, labels = zip(*map(worst_pixel, found, exact), strict=True)
        device = batch.targets.device
        label, pixel = torch.tensor(labels, device=device)[:, None], torch.tensor(pixels, device=device)[:, None]
        prompts = appended(prompts, label, pixel, batch.clicks, batch.views)
        logits = model.answer(features, batch, prompts)
        found = (logits > 0).cpu().numpy()
        if fed_back:
            prompts = with_answer(prompts, logits)
        if clicks in VALIDATED_CLICKS:
            measured[clicks] = iou(torch.from_numpy(found), torch.from_numpy(exact))
    return measured


def iou(found: Tensor, exact: Tensor) -> Tensor:
    """IoU of each pair of masks; 1 where both are empty."""
    union = (found | exact).sum((-2, -1))
    return torch.where(union > 0, (found & exact).sum((-2, -1)) / union.clamp(min=1), 1.0)
