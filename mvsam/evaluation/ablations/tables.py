"""The paper's tables, and which runs stand for their rows."""

from dataclasses import dataclass, replace

from mvsam.evaluation.ablations.variants import AS_TRAINED, PRESET, Coordinates, Evaluation, Samples, Variant
from mvsam.networks.presets import Attention, PositionInjection, Positions
from mvsam.training.disturbance import Disturbance
from mvsam.training.losses import MaskLoss, PixelLoss

THREE_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        label: what is special about it.
        paper: its mIoU and mAcc in per cent there (mAcc is the share of the object that is found); None where it has no
            such line, a second None where it gives no mAcc.
        variant, evaluation: what stands for it here.
        group: lines of the same group are compared with one another.
    """

    label: str
    paper: tuple[float, float | None] | None
    variant: Variant
    evaluation: Evaluation = AS_TRAINED
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the paper, or one that it lacks.

    Attributes:
        key: what `--table` calls it.
        title: heading.
        reading: what was done here, where the paper is silent or this scale asks for something else.
        rows: its lines.
        seeds: every line's.
    """

    key: str
    title: str
    reading: str
    rows: tuple[Row, ...]
    seeds: tuple[int, ...] = (0,)


def _placed(positions: Positions, attention: Attention) -> Variant:
    config = replace(PRESET.decoder, positions=positions, attention=attention)
    return Variant(f"{positions.value}-{attention.value}", config)


def _flagged(low_share: float) -> Variant:
    """Errors that a confidence ranks, of up to a scene's deviation where it is least sure."""
    return Variant(f"flagged-{low_share:.2f}", errors=Disturbance(share=1.0, noise=1.0, views=1), low_share=low_share)


BASELINE = _placed(Positions.POINTMAP, Attention.SINGLE)
FULL_ATTENTION = _placed(Positions.POINTMAP, Attention.FULL)
ONCE = Variant("3d-once", replace(PRESET.decoder, injection=PositionInjection.ONCE))
SINGLE_VIEWS = Variant("single-views", samples=Samples.SINGLE_VIEWS)
RAW = replace(SINGLE_VIEWS, name="raw-coordinates", coordinates=Coordinates.RAW)

_POSITIONS = "position of points and prompts"
_CONFIDENCE = "confidence embeddings"
_NAMES = {Positions.NONE: "no PE", Positions.IMAGE: "2-D PE", Positions.POINTMAP: "3-D PE"}
_TABLE_3A = {
    (Positions.NONE, Attention.FULL): (25.6, 57.8),
    (Positions.NONE, Attention.SINGLE): (10.9, 52.7),
    (Positions.IMAGE, Attention.FULL): (26.6, 59.5),
    (Positions.IMAGE, Attention.SINGLE): (18.3, 53.6),
    (Positions.POINTMAP, Attention.FULL): (45.8, 62.2),
    (Positions.POINTMAP, Attention.SINGLE): (52.2, 66.7),
}
_LOSSES = {
    PixelLoss.ASYMMETRIC: ("ASL", 5.0, (43.3, 67.7), (39.4, 67.2)),
    PixelLoss.BINARY_CROSS_ENTROPY: ("BCE", 1.0, (44.0, 62.4), (49.3, 64.5)),
    PixelLoss.FOCAL: ("focal", 5.0, (47.1, 66.1), (52.2, 66.7)),
}


def _loss_rows() -> tuple[Row, ...]:
    rows = []
    for pixel, (name, weight, alone, with_dice) in _LOSSES.items():
        for suffix, dice_weight, paper in (("", 0.0, alone), (" + dice", 1.0, with_dice)):
            loss = MaskLoss(pixel, pixel_weight=weight, dice_weight=dice_weight, alpha=0.5)
            variant = replace(SINGLE_VIEWS, name=f"loss-{pixel.value}{'-dice' if dice_weight else ''}", loss=loss)
            if loss == SINGLE_VIEWS.loss:
                variant = SINGLE_VIEWS
            rows.append(Row(name + suffix, paper, variant))
    return tuple(rows)


TABLES: tuple[Table, ...] = (
    Table(
        "3a",
        "Table 3a: confidence embeddings, positional embeddings and the scope of attention",
        "All are trained on eight views of a scene, as the paper's are. The first two lines have erroneous "
        "geometry, whose confidence ranks its errors; the others have exact pointmaps, where no point is of low "
        "confidence. 2-D PE: with single-view attention prompts are projected into every view by the exact "
        "cameras (what falls outside a picture is held at twice its extent, and nothing tells that a prompt is "
        "hidden); with full attention there is one token a prompt for all views, so it has its place in its own "
        "photograph. So *2-D PE, single* knows where every prompt "
        "stands in every picture, and lacks only what hides it: in rooms of a few objects that is little, and the lead "
        "of 3-D PE shows on occluded objects.",
        (
            Row("3-D PE, single, no confidence", (44.5, 61.1), _flagged(0.0), group=_CONFIDENCE),
            Row("3-D PE, single, confidence", (52.2, 66.7), _flagged(0.15), group=_CONFIDENCE),
            *(
                Row(f"{_NAMES[p]}, {a.value}", paper, _placed(p, a), group=_POSITIONS)
                for (p, a), paper in _TABLE_3A.items()
            ),
        ),
        THREE_SEEDS,
    ),
    Table(
        "6",
        "Table 6: noise on the pointmaps",
        "Gaussian noise on every coordinate of every point, relative to the points' deviation along that axis, "
        "added before the scene's statistics are taken. The decoder was trained on exact pointmaps.",
        tuple(
            Row(f"{noise:g} σ", paper, SINGLE_VIEWS, Evaluation(noise=noise))
            for noise, paper in (
                (0.0, (48.9, 63.5)),
                (0.25, (48.4, 64.2)),
                (0.5, (47.1, 65.1)),
                (1.0, (41.5, 59.2)),
                (2.0, (39.7, 58.4)),
                (4.0, (33.1, 49.2)),
            )
        ),
    ),
    Table(
        "10",
        "Table 10: losses",
        "The paper's weights (focal of α 0.9, dice 0.05) are meant for SAM2's decoder; here, from scratch, they stay "
        "at the empty mask for long. So focal has α 0.5, and the pixel terms weigh 5 (focal), 1 (BCE) and 5 (ASL), "
        "dice 1. The start that all share was itself trained with focal + dice.",
        _loss_rows(),
    ),
    Table(
        "12",
        "Table 12: number of frames",
        "Trained on eight views. Held-out scenes of a hundred views are cut into groups of so many frames, each "
        "with the one photograph that holds all prompts; every other view is scored once. The last group of a "
        "scene may be smaller.",
        tuple(
            Row(f"{frames} frames, {name}", (iou, None), variant, Evaluation(frames=frames), group=f"{frames} frames")
            for frames, single, full in (
                (2, 54.3, 54.8),
                (4, 55.2, 55.0),
                (8, 53.1, 54.5),
                (16, 53.2, 51.6),
                (32, 52.1, 47.6),
                (100, 52.2, 45.8),
            )
            for name, iou, variant in (("single", single, BASELINE), ("full", full, FULL_ATTENTION))
        ),
    ),
    Table(
        "13",
        "Table 13: share of the points that count as low in confidence",
        "Geometry with errors that the confidence ranks, as in the first lines of Table 3a; each share is trained "
        "anew.",
        tuple(
            Row(f"{share:.2f}", paper, _flagged(share))
            for share, paper in (
                (0.0, (44.45, 61.11)),
                (0.05, (51.65, 66.53)),
                (0.10, (52.18, 66.81)),
                (0.15, (52.25, 66.70)),
                (0.20, (50.43, 66.45)),
                (0.25, (49.55, 66.18)),
                (0.30, (49.82, 66.46)),
            )
        ),
    ),
    Table(
        "14",
        "Table 14: standardization",
        "Trained on scenes of metres; asked about the same held-out scenes at three scales, which stand for the "
        "paper's three datasets (rooms, objects, landscapes). A standardized decoder cannot tell the scales "
        "apart.",
        tuple(
            Row(f"{name}, {coordinates}", paper, variant, Evaluation(scale=scale), group=name)
            for name, scale, with_it, without in (
                ("×1 (ScanNet++)", 1.0, (49.8, 63.6), (27.3, 51.2)),
                ("×0.2 (uCo3D)", 0.2, (86.9, 94.4), (16.2, 24.5)),
                ("×5 (DL3DV)", 5.0, (35.7, 64.7), (6.2, 13.3)),
            )
            for coordinates, paper, variant in (("standardized", with_it, SINGLE_VIEWS), ("raw", without, RAW))
        ),
        THREE_SEEDS,
    ),
    Table(
        "injection",
        "Where the positional part enters",
        "The paper does not say whether positions are added again to the queries and keys of every attention, as "
        "SAM does, or once, in the point and prompt embeddings. All start from weights that had positions at "
        "every attention, so *once* has something to unlearn in its 1200 steps.",
        (Row("at every attention", None, BASELINE), Row("once", None, ONCE)),
        THREE_SEEDS,
    ),
)
