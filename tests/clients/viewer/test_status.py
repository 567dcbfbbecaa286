"""The table says how much of each object each photograph shows."""

import re

from mvsam_client.viewer import status

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def cells(html: str) -> dict[tuple[int, int], str]:
    """(object, view) → text, as a program reads it from the page."""
    found = re.findall(r'<td [^>]*data-object="(\d+)" data-view="(\d+)">([^<]*)<', html)
    return {(int(object_id), int(view)): text for object_id, view, text in found}


def test_each_object_and_photograph_has_a_cell() -> None:
    html = status.table(NAMES, [{1: 20, 3: 580}, {1: 0, 3: 20}, {3: 20}])
    assert cells(html) == {
        (1, 0): "20 px", (1, 1): "0 px", (1, 2): "…",
        (3, 0): "580 px", (3, 1): "20 px", (3, 2): "20 px",
    }  # fmt: skip
    assert "object 1: found in 1 of 3" in html and "object 3: found in 3 of 3" in html


def test_without_objects_there_is_nothing_to_say() -> None:
    assert not cells(status.table(NAMES, [{}] * 3)) and "found" not in status.table(NAMES, [{}] * 3)


def test_names_of_files_are_text_and_no_html() -> None:
    name = '<img src=x onerror="alert(1)">'
    html = status.table([name], [{1: 20}]) + status.line(name)
    assert "<img" not in html and "&lt;img" in html
