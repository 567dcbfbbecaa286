"""The named configurations: the paper's, and the demo preset's, which is trained from scratch."""

from dataclasses import dataclass, field, replace

from mvsam.training.augmentation import Augmentation
from mvsam.training.config import Precision, TrainingConfig
from mvsam.training.corrective_clicks import Corrections
from mvsam.training.disturbance import Disturbance
from mvsam.training.geometry_losses import GeometryLoss
from mvsam.training.losses import MaskLoss
from mvsam.training.prompt_sampling import PromptSampling
from mvsam.training.scene_source import Variation


@dataclass(frozen=True)
class DecoderRecipe:
    """Everything that a decoder run is made of but its data.

    Attributes:
        training, loss, sampling, disturbance, variation: see their classes.
        train_encoder: whether the image encoder is trained too; photographs are augmented only then, since what
            frozen networks make of them is kept.
        corrections: of the decoder's own answers.
        layered: share of the photographs without geometry that get layers in depth instead of π³'s estimate.
        photographs: share of a batch that are photographs, where there are synthetic scenes besides.
    """

    training: TrainingConfig
    loss: MaskLoss
    sampling: PromptSampling
    disturbance: Disturbance
    train_encoder: bool
    variation: Variation
    corrections: Corrections = field(default_factory=Corrections)
    layered: float = 0.0
    photographs: float = 0.5


DECODER_RECIPES: dict[str, DecoderRecipe] = {
    # Frozen encoder and geometry, focal + 0.05 dice, 10 clicks of which at most one negative. The paper leaves open the
    # optimiser, the schedule, the batch and the objects of a photograph; they are AdamW, cosine, 32 and at most 8.
    "paper": DecoderRecipe(
        training=TrainingConfig(),
        loss=MaskLoss(),
        sampling=PromptSampling(dense_share=0.25),
        disturbance=Disturbance(),
        train_encoder=False,
        variation=Variation(objects=8),
    ),
    # From scratch the paper's loss sits long at the empty mask: pixel terms are balanced and dice weighs more. The
    # number of clicks varies, so that a single one works too; on every other step they correct the decoder's own
    # answers. Geometry is disturbed as an estimate would be, and crops and wider scenes give objects every size. Up is
    # mostly up, as in exact pointmaps and in those of the demo's π³: a frame turned anyhow costs much training.
    "demo": DecoderRecipe(
        training=TrainingConfig(
            steps=12_000,
            batch=8,
            learning_rate=6e-4,
            warmup=200,
            ema=0.999,
            precision=Precision.BF16,
            checkpoint_every=100,
            validate_every=1000,
        ),
        loss=MaskLoss(pixel_weight=5.0, dice_weight=1.0, alpha=0.5),
        sampling=PromptSampling(clicks=12, fewest=1, negative_share=0.25, dense_share=0.1, central_share=0.3),
        disturbance=Disturbance(share=0.3, noise=0.1, bend=0.15, wider=1.5),
        train_encoder=True,
        variation=Variation(
            objects=5,
            smallest=0.003,
            turned=0.3,
            augmentation=Augmentation(cropped=0.6, light=0.15, blurred=0.1, plain=0.06),
        ),
        corrections=Corrections(rounds=(0, 1, 0, 2)),
        layered=0.5,
        photographs=0.5,
    ),
}

# A trunk that has seen ImageNet learns more slowly than what is new; its convolutions are no faster in BF16.
DECODER_RECIPES["photographs"] = replace(
    DECODER_RECIPES["demo"],
    training=replace(DECODER_RECIPES["demo"].training, precision=Precision.FP32, trunk_rate=0.3),
)


@dataclass(frozen=True)
class GeometryRecipe:
    """Everything that a run of a small π³ is made of but its data.

    Attributes:
        training: the run.
        loss: its terms.
        side: pixels of a square view.
        views: at most so many of a scene.
    """

    training: TrainingConfig
    loss: GeometryLoss
    side: int
    views: int


GEOMETRY_RECIPE = GeometryRecipe(
    training=TrainingConfig(
        steps=24_000,
        batch=8,
        learning_rate=1e-3,
        warmup=500,
        ema=0.999,
        precision=Precision.BF16,
        checkpoint_every=200,
        validate_every=1000,
    ),
    # Poses in a frame of their own and points of patches besides: relative poses alone stay at chance for very long.
    loss=GeometryLoss(gauge=0.2, patches=0.2),
    side=112,
    views=8,
)
