"""Training of a variant's decoder by the trainer's loop, on features that were cached."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mvsam.evaluation.ablations.inputs import CLICKS, DecoderInputs, decoder_inputs
from mvsam.evaluation.ablations.scenes import EncodedScenes, turned, with_views
from mvsam.evaluation.ablations.variants import AS_TRAINED, PRESET, RECIPE, Samples, Scale, Variant
from mvsam.evaluation.questions import PROMPTED_VIEWS, VISIBLE, Question
from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.mask_decoder import MaskDecoder, PlacedGrid, PlacedPrompts
from mvsam.pipeline.request import POSITIVE
from mvsam.synthetic.scene import Scene
from mvsam.training.placing import shares
from mvsam.training.prompt_sampling import sample_clicks

TRIES = 20  # scenes looked at where one shows no object
SAMPLING = replace(RECIPE.sampling, clicks=CLICKS, dense_share=0.0)


class Batch(NamedTuple):
    """What a step sees.

    Attributes:
        inputs: of O objects.
        targets: [O, D, 4E, 4E], the share of each pixel that the object covers.
        views: [O], the view that each object is decoded in; None: all D views.
    """

    inputs: DecoderInputs
    targets: Tensor
    views: Tensor | None


class AblatedDecoder(nn.Module):
    """A decoder that is called on a batch: all views of a scene at once, or objects paired with single views."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.decoder = MaskDecoder(variant.decoder)

    def forward(self, inputs: DecoderInputs, views: Tensor | None) -> Float[Tensor, "objects views 4E 4E"]:
        if views is None:
            return self.decoder(*inputs)
        return self.decoder.paired(*inputs, views)[:, None]


@dataclass(frozen=True)
class VariantTask:
    """The task of the training loop.

    Attributes:
        model: new.
        variant: how it is trained.
        scenes: on which.
        scale: how many objects a step sees.
        seed: of all that is drawn.
    """

    model: AblatedDecoder
    variant: Variant
    scenes: EncodedScenes
    scale: Scale
    seed: int

    def batch(self, step: int, examples: Sequence[int]) -> Batch:
        """One scene, or a view of each of several."""
        drawn = [self._sample(np.random.default_rng((self.seed, step, example))) for example in examples]
        if self.variant.samples is Samples.EIGHT_VIEWS:
            ((inputs, targets),) = drawn
            return Batch(inputs, targets, None)
        counts = torch.tensor([len(targets) for _, targets in drawn])
        views = torch.repeat_interleave(torch.arange(len(drawn)), counts)
        return Batch(_side_by_side([inputs for inputs, _ in drawn]), torch.cat([t for _, t in drawn]), views)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean over all masks."""
        return self.variant.loss(model(batch.inputs, batch.views).float(), batch.targets).mean(), {}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Nothing: variants are judged when they are trained."""
        return {}

    def pictures(self, model: nn.Module) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def _sample(self, rng: np.random.Generator) -> tuple[DecoderInputs, Tensor]:
        """Inputs and targets of a few objects of one scene."""
        several = self.variant.samples is Samples.EIGHT_VIEWS
        for _ in range(TRIES):
            index = int(rng.integers(len(self.scenes.scenes)))
            whole = self.scenes.scenes[index]
            order = rng.permutation(len(whole.images))
            # A single view comes with others that only share its statistics, as a served scene's views do.
            together = order if several else order[: int(rng.integers(1, len(order) + 1))]
            scene = turned(with_views(whole, together), rng)
            decoded = len(order) if several else 1
            questions = _questions(scene, decoded, PROMPTED_VIEWS if several else 1, self.scale.objects, rng)
            if questions:
                features = self.scenes.features(index, order[:decoded])
                inputs = decoder_inputs(scene, features, questions, self.variant, AS_TRAINED, rng)
                side = 4 * PRESET.grid_side
                targets = [[shares(mask, side) for mask in scene.mask(q.target)[:decoded]] for q in questions]
                return inputs, torch.from_numpy(np.array(targets))
        raise ValueError(f"no object of at least {VISIBLE:.1%} of a picture in {TRIES} scenes; render others")


def _questions(scene: Scene, decoded: int, prompted: int, most: int, rng: np.random.Generator) -> list[Question]:
    """Clicks on a few objects, each in some of the decoded views that show it."""
    visible = np.stack([scene.mask(o)[:decoded].mean((1, 2)) >= VISIBLE for o in range(len(scene.families))])
    questions = []
    for target in rng.permutation(np.flatnonzero(visible.sum(1) >= prompted))[:most]:
        views = rng.permutation(np.flatnonzero(visible[target]))[:prompted]
        masks = scene.mask(int(target))[views]
        clicks = sample_clicks(
            masks.reshape(-1, masks.shape[2]), scene.valid[views].reshape(-1, masks.shape[2]), SAMPLING, rng
        )
        if clicks is not None:
            place, rows = np.divmod(clicks.rows, masks.shape[1])
            questions.append(Question(int(target), views[place], rows, clicks.columns, clicks.labels == POSITIVE))
    return questions


def _side_by_side(inputs: Sequence[DecoderInputs]) -> DecoderInputs:
    """Views of several scenes as if they were of one; objects end to end."""
    features, grids, prompts = zip(*inputs, strict=True)
    points, low, labels, masks, index = zip(*prompts, strict=True)
    return DecoderInputs(
        ImageFeatures(*(torch.cat(part) for part in zip(*features, strict=True))),
        PlacedGrid(*(torch.cat(part) for part in zip(*grids, strict=True))),
        PlacedPrompts(torch.cat(points), torch.cat(low), torch.cat(labels), masks[0], torch.cat(index)),
    )
