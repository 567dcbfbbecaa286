"""Results laid out: a comparison of all methods on a data set, and the paper's tables where a cell of them is ours."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from mvsam.evaluation.benchmarks import published
from mvsam.evaluation.benchmarks.corrections import CLICKED_VIEWS, Feedback
from mvsam.evaluation.benchmarks.published import MV_SAM, PROJECTION, SAM2_VIDEO, Pair
from mvsam.evaluation.benchmarks.results import ObjectResult, SceneResult
from mvsam.evaluation.benchmarks.scoring import Averaging, Score, mean_score, paired_interval
from mvsam.evaluation.benchmarks.tables import Figure, Row, Table

NOTHING = Figure(float("nan"))
RECALL, CLASS_ACCURACY = "recall", "class_accuracy"
HEADINGS = {
    "iou": "IoU",
    "recall": "recall",
    "class_accuracy": "mean class accuracy",
    "pixel_accuracy": "pixel accuracy",
    "boundary_f": "boundary F",
    "strays": "strays",
}
RECALL_NOTE = "mAcc is foreground recall, as the paper's figures in this table can only be."
CLASS_NOTE = (
    "mAcc is mean class accuracy for SAM2-Video and MV-SAM, and pixel accuracy for the methods that are optimised for "
    "each scene: the two groups cannot be compared in it."
)


@dataclass(frozen=True)
class Run:
    """One method's results on one data set.

    Attributes:
        dataset, method, geometry, order: as the settings name them.
        paper_name: the method's name in the paper's tables; empty for what is none of them, random weights included.
        scenes: results by scene.
        corrective_clicks: how many each object was given; 0 for none.
    """

    dataset: str
    method: str
    geometry: str
    order: str
    paper_name: str
    scenes: Mapping[str, SceneResult]
    corrective_clicks: int = 0

    @property
    def title(self) -> str:
        """In a row."""
        order = "" if self.order == "video" else f", {self.order}"
        return f"{self.method}, {self.geometry}{order}"

    def score(self, averaging: Averaging = Averaging.MACRO) -> Score:
        """The mean of the scenes that did not fail."""
        return mean_score(each.score(averaging) for each in self.scenes.values() if each.error is None)

    def pair(self, accuracy: str) -> tuple[Figure, Figure]:
        """mIoU and what mAcc is in the table."""
        score = self.score()
        return Figure(100 * score.iou), Figure(100 * getattr(score, accuracy))


def comparison(dataset: str, runs: Sequence[Run], averaging: Averaging = Averaging.MACRO) -> Table:
    """All methods on one data set, by all metrics."""
    rows, notes = [], []
    for run in runs:
        score = run.score(averaging)
        agreements = [
            each.agreement
            for scene in run.scenes.values()
            for each in scene.objects.values()
            if each.agreement is not None
        ]
        cells = [Figure(100 * getattr(score, name)) for name in HEADINGS]
        rows.append(Row(run.title, [*cells, Figure(100 * fmean(agreements)) if agreements else NOTHING]))
        failed = [name for name, scene in run.scenes.items() if scene.error is not None]
        if failed:
            notes.append(
                f"{run.title}: {len(failed)} of {len(run.scenes)} scenes failed and are left out: {', '.join(failed)}."
            )
    counts = sorted({len(run.scenes) for run in runs})
    notes.insert(
        0,
        f"Per cent, {' or '.join(map(str, counts))} scenes; {averaging} average over the scored views of an object, "
        "then the mean over objects and scenes. Strays: share of the pixels marked where the object is not seen. "
        "Agreement: IoU of masks laid from each view into every other by the geometry.",
    )
    notes += [_margin(runs[0], run, averaging) for run in runs[1:]]
    return Table(dataset, ["method, geometry", *HEADINGS.values(), "agreement"], rows, notes)


def _margin(leading: Run, run: Run, averaging: Averaging) -> str:
    """How far the first row is ahead of another, on the scenes that both have an IoU of."""
    pairs = [
        (leading.scenes[name].score(averaging).iou, run.scenes[name].score(averaging).iou)
        for name in leading.scenes
        if name in run.scenes
    ]
    pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
    if not pairs:
        return f"{leading.title} and {run.title} have no scene with an IoU in common."
    mean, low, high = (100 * each for each in paired_interval(*zip(*pairs, strict=True)))
    return (
        f"IoU of {leading.title} over {run.title}: {mean:+.1f} (95 %: {low:+.1f} to {high:+.1f}, {len(pairs)} scenes)."
    )


def corrective(dataset: str, runs: Sequence[Run]) -> Table:
    """IoU after each corrective click: a row for each run, what is fed back, and which views count."""
    count = max(run.corrective_clicks for run in runs)
    rows = [
        Row(f"{run.title}, {feedback}: {views}", _after_clicks(run, feedback, count, are_clicked_counted=counted))
        for run in runs
        for feedback in Feedback
        for views, counted in (("all views", True), ("views without clicks", False))
    ]
    rows = [row for row in rows if any(math.isfinite(cell.value) for cell in row.cells)]
    objects = [sum(bool(each.corrections) for each in _objects(run)) for run in runs]
    note = (
        f"IoU in per cent after so many clicks; mean over views that show the object, then over objects and scenes; "
        f"{' or '.join(map(str, sorted(set(objects))))} objects. The first click is in the middle of the object, each "
        f"further one in the middle of the largest error, in at most {CLICKED_VIEWS} views, positive where the object "
        "was missed, negative where something else was marked. Where no error is left, the IoU stays."
    )
    title = f"{dataset}: IoU after corrective clicks"
    return Table(title, ["method, geometry, what is fed back", *map(str, range(1, count + 1))], rows, [note])


def _objects(run: Run) -> Iterator[ObjectResult]:
    """Those of all scenes."""
    return (each for scene in run.scenes.values() for each in scene.objects.values())


def _after_clicks(run: Run, feedback: Feedback, count: int, *, are_clicked_counted: bool) -> list[Figure]:
    scenes = []
    for scene in run.scenes.values():
        found = [each.corrections[feedback] for each in scene.objects.values() if feedback in each.corrections]
        objects = np.array([each.mean_ious(count, are_clicked_counted=are_clicked_counted) for each in found])
        objects = objects[np.isfinite(objects[:, 0])] if found else objects
        if len(objects):
            scenes.append(objects.mean(axis=0))
    return [Figure(100 * float(each)) for each in np.mean(scenes, axis=0)] if scenes else [NOTHING] * count


def paper_tables(runs: Sequence[Run]) -> list[Table]:
    """Those of the paper's tables that a run of ours has a cell in."""
    asked: list[tuple[str, Callable[[Sequence[Run]], Table]]] = [
        ("ScanNet++ uCo3D DL3DV", table_1),
        ("NVOS SPIn-NeRF", table_2),
        ("DL3DV", table_5),
        ("ScanNet++ uCo3D DL3DV", table_9),
        ("NVOS", table_15),
        ("SPIn-NeRF", table_16),
    ]
    known = [run for run in runs if run.paper_name]
    return [table(known) for datasets, table in asked if any(run.dataset in datasets.split() for run in known)]


def table_1(runs: Sequence[Run]) -> Table:
    """Data sets by order and method."""
    columns = [(order, method) for order in ("video", "shuffled") for method in (SAM2_VIDEO, MV_SAM)]
    datasets = ("ScanNet++", "uCo3D", "DL3DV")
    rows = [
        Row(
            dataset,
            [
                figure
                for order, method in columns
                for figure in _ours_or(
                    runs, dataset, order, method, RECALL, published.TABLE_1.get((dataset, order, method))
                )
            ],
        )
        for dataset in datasets
    ]
    headings = [f"{method}, {order}: {figure}" for order, method in columns for figure in ("mIoU", "mAcc")]
    return Table("Table 1: video and unordered photographs", ["data set", *headings], _averaged(rows), [RECALL_NOTE])


def table_2(runs: Sequence[Run]) -> Table:
    """Methods on NVOS and SPIn-NeRF."""
    datasets = ("NVOS", "SPIn-NeRF")
    rows = [
        Row(
            method,
            [
                figure
                for dataset in datasets
                for figure in _ours_or(
                    runs, dataset, "video", method, CLASS_ACCURACY, published.TABLE_2.get((method, dataset))
                )
            ],
        )
        for method in (*published.PER_SCENE, SAM2_VIDEO, MV_SAM)
    ]
    headings = [f"{dataset}: {figure}" for dataset in datasets for figure in ("mIoU", "mAcc")]
    return Table("Table 2: NVOS and SPIn-NeRF", ["method", *headings], rows, [CLASS_NOTE])


def table_5(runs: Sequence[Run]) -> Table:
    """MV-SAM on DL3DV by geometry."""
    ours = {run.geometry: run for run in _of(runs, "DL3DV", "video", MV_SAM)}
    names = [*published.TABLE_5, *(name for name in ours if name not in published.TABLE_5)]
    rows = [
        Row(name, ours[name].pair(RECALL) if name in ours else _published(published.TABLE_5.get(name)))
        for name in names
    ]
    return Table("Table 5: geometry networks, DL3DV", ["geometry", "mIoU", "mAcc"], rows, [RECALL_NOTE])


def table_9(runs: Sequence[Run]) -> Table:
    """Further baselines."""
    datasets = ("ScanNet++", "uCo3D", "DL3DV")
    rows = [
        Row(
            method,
            [
                figure
                for dataset in datasets
                for figure in _ours_or(runs, dataset, "video", method, RECALL, published.TABLE_9.get((method, dataset)))
            ],
        )
        for method in (PROJECTION, SAM2_VIDEO, "SAM2-Long", "SAM3", MV_SAM)
    ]
    headings = [f"{dataset}: {figure}" for dataset in datasets for figure in ("mIoU", "mAcc")]
    return Table("Table 9: further baselines", ["method", *headings], rows, [RECALL_NOTE])


def table_15(runs: Sequence[Run]) -> Table:
    """NVOS, scene by scene: a row of mIoU and one of mAcc for each method."""
    rows = []
    for method, (ious, accuracies) in published.TABLE_15.items():
        for name, figure, values in (("mIoU", "iou", ious), ("mAcc", CLASS_ACCURACY, accuracies)):
            given = dict(zip(published.NVOS_SCENES, values, strict=True))
            cells = [_of_scene(runs, "NVOS", scene, method, figure, given[scene]) for scene in published.NVOS_SCENES]
            average = _mean(cells)
            if average.is_published:  # as stated, which is not always the mean of the row
                average = _published(published.TABLE_2[method, "NVOS"])[name == "mAcc"]
            rows.append(Row(f"{method}, {name}", [*cells, average]))
    return Table("Table 15: NVOS by scene", ["method", *published.NVOS_SCENES, "average"], rows, [CLASS_NOTE])


def table_16(runs: Sequence[Run]) -> Table:
    """SPIn-NeRF, scene by scene."""
    rows = []
    for index, scene in enumerate(published.SPIN_NERF_SCENES):
        cells = []
        for method, (ious, accuracies) in published.TABLE_16.items():
            cells.append(_of_scene(runs, "SPIn-NeRF", scene, method, "iou", ious[index]))
            cells.append(_of_scene(runs, "SPIn-NeRF", scene, method, CLASS_ACCURACY, accuracies[index]))
        rows.append(Row(scene, cells))
    headings = [f"{method}: {figure}" for method in published.TABLE_16 for figure in ("mIoU", "mAcc")]
    return Table("Table 16: SPIn-NeRF by scene", ["scene", *headings], _averaged(rows), [CLASS_NOTE])


def _of(runs: Sequence[Run], dataset: str, order: str, method: str) -> list[Run]:
    return [run for run in runs if (run.dataset, run.order, run.paper_name) == (dataset, order, method)]


def _ours_or(
    runs: Sequence[Run], dataset: str, order: str, method: str, accuracy: str, given: Pair | None
) -> tuple[Figure, Figure]:
    """Our pair, with π³'s geometry where there are several; the paper's where there is none."""
    ours = sorted(_of(runs, dataset, order, method), key=lambda run: run.geometry != "π³")
    return ours[0].pair(accuracy) if ours else _published(given)


def _published(pair: Pair | None) -> tuple[Figure, Figure]:
    return (NOTHING, NOTHING) if pair is None else (Figure(pair.iou, True), Figure(pair.accuracy, True))


def _of_scene(runs: Sequence[Run], dataset: str, scene: str, method: str, figure: str, given: float) -> Figure:
    for run in _of(runs, dataset, "video", method):
        found = run.scenes.get(scene)
        if found is not None and found.error is None:
            return Figure(100 * getattr(found.score(), figure))
    return Figure(given, True)


def _averaged(rows: Sequence[Row]) -> list[Row]:
    """The rows and their average."""
    columns = zip(*(row.cells for row in rows), strict=True)
    return [*rows, Row("average", [_mean(cells) for cells in columns])]


def _mean(cells: Sequence[Figure]) -> Figure:
    """Of cells that all are the paper's, or all ours; a mixture has none."""
    values = [cell.value for cell in cells]
    if len({cell.is_published for cell in cells}) > 1 or any(map(math.isnan, values)):
        return NOTHING
    return Figure(fmean(values), cells[0].is_published)
