"""What calibration found, as a document for whoever reviews its proposal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calibration.proposal import Proposal
from calibration.ranges import LARGEST, SMALLEST_NORMAL, Place, Range, Ranges
from export.compare import Errors
from export.verify import MEAN_IOU, WORST_IOU, Verdict
from mvsam.evaluation.markdown import table
from mvsam.networks.presets import Precision
from mvsam.runtime.artifacts import write_json

LINES = 8  # of a table
REPORT, ISLANDS = "report.md", "proposed_islands.json"


def write_report(
    folder: Path,
    preset: str,
    weights: Mapping[str, Mapping[str, Any]],
    scenes: Sequence[str],
    proposals: Mapping[str, Proposal],
    reviewed: Mapping[str, Sequence[str]],
    verdicts: Mapping[Precision, Verdict],
) -> Path:
    """Writes the report and the file of islands; returns the report's path.

    Args:
        folder: is made where it is missing.
        preset: its name.
        weights: what is known of each network's.
        scenes: their names.
        proposals: by graph.
        reviewed: islands that were in force already, which the file of islands repeats.
        verdicts: on the masks, with the proposed islands.
    """
    folder.mkdir(parents=True, exist_ok=True)
    islands = {name: [*reviewed[name], *proposal.islands] for name, proposal in proposals.items()}
    write_json(folder / ISLANDS, islands)
    random = [name for name, known in weights.items() if not known["trained"]]
    parts = [
        f"# Calibration of the {preset} preset\n",
        f"Scenes: {', '.join(scenes)}.\n",
        *([f"RANDOM weights: {', '.join(random)}. What is said of them shows only that it works.\n"] if random else []),
        _summary(preset, proposals, reviewed),
        _masks(verdicts),
        *(_graph(name, proposal) for name, proposal in proposals.items()),
    ]
    temporary = folder / f"{REPORT}.tmp"
    temporary.write_text("\n".join(parts), encoding="utf-8")
    return temporary.replace(folder / REPORT)


def masks_table(verdicts: Mapping[Precision, Verdict]) -> str:
    """What each precision does to the masks, in Markdown."""
    rows = [
        (
            precision,
            verdict.masks,
            f"{verdict.mean:.4f}",
            f"{verdict.worst:.4f}",
            "yes" if verdict.accepted else f"no: {', '.join(verdict.culprits)}",
        )
        for precision, verdict in verdicts.items()
    ]
    return table(("precision", "masks", "mean IoU", "worst view", "accepted"), rows)


def _summary(preset: str, proposals: Mapping[str, Proposal], reviewed: Mapping[str, Sequence[str]]) -> str:
    rows = [
        (
            name,
            _listed(reviewed[name]),
            _listed(proposal.islands),
            proposal.precision,
            "yes" if proposal.sound else "NO: keep this graph in FP32",
        )
        for name, proposal in proposals.items()
    ]
    return (
        "## Proposal\n\n"
        + table(("graph", "islands in force", "islands to add", "PRECISION", "finite and near FP32"), rows)
        + f"\n\n`{ISLANDS}` holds both kinds of islands: review it, copy it to `calibration/islands/{preset}.json`, and"
        " export again. Where PRECISION says mixed, the residual stream itself needs FP32.\n"
    )


def _masks(verdicts: Mapping[Precision, Verdict]) -> str:
    return (
        f"## Masks\n\nIoU to FP32 of the whole chain with these islands, every intermediate rounded; accepted from a"
        f" mean of {MEAN_IOU} and {WORST_IOU} in the worst view on.\n\n{masks_table(verdicts)}\n"
    )


def _graph(name: str, proposal: Proposal) -> str:
    before, places = proposal.before, proposal.before.places
    parts = [
        f"## {name}\n",
        f"Outputs at fp16: {_errors(before.errors)}.\n",
        f"Outputs as proposed: {_errors(proposal.after.errors)}.\n",
    ]
    if proposal.overflowing:
        parts += [
            f"### Beyond FP16's largest number, {LARGEST:,.0f}, in order of execution\n",
            _places(places, _distinct(places, proposal.overflowing)),
        ]
    if not before.finite:
        first = next(place for place, found in places.items() if found.broken)
        parts.append(f"At fp16 the first numbers that are not finite are at: {first}.\n")
    if proposal.lossy:
        parts.append(f"Spoilt without overflow: {_listed(proposal.lossy)}.\n")
    parts += [
        "### Largest numbers\n",
        _places(places, _first(before, lambda found: found.largest)),
        "### Largest errors at fp16\n",
        _places(places, _first(before, lambda found: found.error)),
        f"### Most numbers below FP16's smallest normal one, {SMALLEST_NORMAL:.1e}\n",
        _places(places, _first(before, lambda found: found.subnormal_share)),
    ]
    return "\n".join(parts)


def _first(ranges: Ranges, key: Callable[[Range], float]) -> list[Place]:
    ordered = sorted(ranges.places, key=lambda place: key(ranges.places[place]), reverse=True)
    return _distinct(ranges.places, ordered)[:LINES]


def _distinct(places: Mapping[Place, Range], chosen: Sequence[Place]) -> list[Place]:
    """Without the places that hold the same numbers as an earlier one: a module's inputs are another's outputs."""
    distinct: dict[tuple[float, int], Place] = {}
    for place in chosen:
        distinct.setdefault((places[place].largest, places[place].nonzero), place)
    return list(distinct.values())


def _places(places: Mapping[Place, Range], chosen: Sequence[Place]) -> str:
    rows = [
        (place, f"{(found := places[place]).largest:.4g}", f"{found.error:.1e}", f"{found.subnormal_share:.1%}")
        for place in chosen
    ]
    return table(("module", "largest magnitude", "relative error at fp16", "below the smallest normal"), rows) + "\n"


def _errors(errors: Errors) -> str:
    return ", ".join(f"{name} {error:.1e}" for name, error in errors.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
