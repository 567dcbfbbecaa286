"""What the page says in words: how many pixels of each photograph belong to each object, and how long it took."""

from collections.abc import Mapping, Sequence
from html import escape

from mvsam_client.viewer.points import object_colour

_TEXT = "padding:4px 12px;font-size:13px;min-height:1.5em"
_CELL = "padding:1px 6px;text-align:right;white-space:nowrap"
_NAME = "padding:1px 6px;max-width:11em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def hint() -> str:
    """HTML: what to do."""
    return (
        f'<div style="{_TEXT}">Click on an object, in a photograph or in the cloud; shift-click on what is <b>not</b> '
        "the object. Drag to turn, right-drag to move, scroll to approach.</div>"
    )


def table(names: Sequence[str], areas: Sequence[Mapping[int, int]]) -> str:
    """HTML: a row for each photograph, a column for each object.

    A cell has the attributes data-object and data-view, for programs that read the page.

    Args:
        names: of the photographs; they may hold anything.
        areas: for each view, pixels by object id.
    """
    objects = sorted({object_id for view in areas for object_id in view})
    if not objects:
        return '<div id="mvsam-status"></div>'
    found = {each: sum(view.get(each, 0) > 0 for view in areas) for each in objects}
    summary = "".join(
        f"<div>{_dot(each)} object {each}: found in {found[each]} of {len(names)} photographs</div>" for each in objects
    )
    head = "".join(f'<th style="{_CELL}">{_dot(each)} {each}</th>' for each in objects)
    rows = "".join(
        f'<tr><td style="{_NAME}" title="{escape(name)}">{view}&ensp;{escape(name)}</td>'
        + "".join(_cell(view, each, areas[view]) for each in objects)
        + "</tr>"
        for view, name in enumerate(names)
    )
    return (
        f'<div id="mvsam-status" style="{_TEXT}">{summary}'
        f'<table style="margin-top:6px"><thead><tr><th style="text-align:left;padding:1px 6px">photograph</th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def line(text: str, *, is_error: bool = False) -> str:
    """HTML: one line on what has been done, or what failed."""
    colour = "color:#c92a2a;" if is_error else ""
    return f'<div id="mvsam-line" style="{_TEXT};{colour}">{escape(text)}</div>'


def seconds(first: float, whole: float, views: int) -> str:
    """How long an answer took."""
    return f"Last answer: first photograph after {first:.2f} s, all {views} after {whole:.2f} s."


def _cell(view: int, object_id: int, areas: Mapping[int, int]) -> str:
    pixels = f"{areas[object_id]} px" if object_id in areas else "…"
    return f'<td style="{_CELL}" data-object="{object_id}" data-view="{view}">{pixels}</td>'


def _dot(object_id: int) -> str:
    return f'<span style="color:rgb{object_colour(object_id)}">●</span>'
