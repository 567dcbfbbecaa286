"""A page of results: tables, and pictures of the best, the median and the worst object."""

import html
from collections.abc import Sequence
from pathlib import Path

from mvsam.evaluation.benchmarks.layouts import Run
from mvsam.evaluation.benchmarks.results import decoded
from mvsam.evaluation.benchmarks.scenes import Dataset
from mvsam.evaluation.benchmarks.tables import Table
from mvsam.evaluation.sheets import LEGEND, sheet
from mvsam.pipeline.images import decode_photograph
from mvsam.runtime.artifacts import write_text

COLUMNS = 5  # views on a sheet at most
QUALITY = 70
STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; text-align: right }
th { border-bottom: 2px solid #222 } tr:nth-child(even) td { background: #f4f4f4 }
td:first-child, th:first-child { text-align: left } img { max-width: 100%; border: 1px solid #ddd }
"""


def write_page(
    path: Path, title: str, facts: Sequence[str], tables: Sequence[Table], dataset: Dataset, runs: Sequence[Run]
) -> None:
    """An HTML file, and a folder of its name with the pictures.

    Args:
        path: of the file.
        title: of the page.
        facts: lines that say how the figures were made.
        tables: that are shown.
        dataset: of the pictures.
        runs: all on this data set; the first one says which objects are shown.
    """
    pictures = _pictures(path, dataset, runs)
    parts = [f"<h1>{html.escape(title)}</h1>", "<ul>", *(f"<li>{html.escape(fact)}</li>" for fact in facts), "</ul>"]
    parts += [table.html() for table in tables]
    for file, caption in pictures.items():
        text, address = html.escape(caption), html.escape(file)
        parts.append(f'<h2>{text}</h2>\n<p>{LEGEND}</p>\n<img src="{address}" alt="{text}">')
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
    write_text(path, f"{head}<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n")


def _pictures(path: Path, dataset: Dataset, runs: Sequence[Run]) -> dict[str, str]:
    """Captions by the pictures' addresses, seen from the page."""
    leading = runs[0]
    objects = [
        (each.score().iou, scene, name)
        for scene, result in leading.scenes.items()
        for name, each in result.objects.items()
        if all(name in run.scenes.get(scene, result).objects for run in runs)
    ]
    objects = sorted(each for each in objects if each[0] == each[0])  # those without an IoU have no rank
    if not objects:
        return {}
    folder = path.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"best": objects[-1], "median": objects[len(objects) // 2], "worst": objects[0]}
    found = {}
    for rank, (iou, name, wanted) in chosen.items():
        scene = dataset.load(name)
        target = next(each for each in scene.targets if each.name == wanted)
        views = _shown([click.view for click in target.clicks], target.scored)
        answers = {run.title: run.scenes[name].objects[wanted] for run in runs if name in run.scenes}
        picture = sheet(
            {v: decode_photograph(scene.photographs[v].read(), scene.photographs[v].name) for v in views},
            target.clicks,
            {v: target.truth[v]() for v in views if v in target.truth},
            {
                f"{title}: IoU {100 * answer.score().iou:.1f}": {v: decoded(answer.masks[v]) for v in views}
                for title, answer in answers.items()
            },
        )
        file = folder / f"{rank}.jpg"
        picture.save(file.with_suffix(".tmp"), "JPEG", quality=QUALITY)
        file.with_suffix(".tmp").replace(file)
        found[f"{folder.name}/{file.name}"] = (
            f"{rank.capitalize()} of {leading.title}: scene {name}, {wanted}, IoU {100 * iou:.1f}"
        )
    return found


def _shown(prompted: Sequence[int], scored: Sequence[int]) -> list[int]:
    """Views with clicks, then scored ones, some of either."""
    first = sorted(set(prompted))[: COLUMNS // 2]
    return first + [view for view in scored if view not in first][: COLUMNS - len(first)]
