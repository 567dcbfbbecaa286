"""Pieces of the documents that measurements write."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A head and its rows, without a line's end after the last."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def facts(known: Mapping[str, Any]) -> str:
    """A list of `machine.provenance` and whatever was added to it; what there is nothing of is left out."""
    told = {name: value for name, value in known.items() if value not in (None, {}) and name != "quiet"}
    lines = [f"- {name}: {_said(value)}" for name, value in told.items()]
    if not known["quiet"]:
        lines.append("- **other work was running: these are not the figures of a quiet machine**")
    return "\n".join(lines)


def _said(value: Any) -> str:
    return (
        ", ".join(f"{name} {_said(each)}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)
    )
