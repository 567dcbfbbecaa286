"""Reviewed files of islands are read as editors write them."""

import json
from pathlib import Path

import pytest

from export.islands import IslandsError, reviewed_islands


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_reviewed_file_is_followed(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"pi3": ["camera_head"]}), encoding=encoding)
    assert reviewed_islands("demo", tmp_path)["pi3"] == ["camera_head"]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(IslandsError, match=r"demo.json is not JSON"):
        reviewed_islands("demo", tmp_path)
