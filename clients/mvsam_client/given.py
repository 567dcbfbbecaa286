"""The photographs that a command line names: files, folders, patterns, videos and COLMAP projects, in any mixture."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mvsam_client.command_line import count
from mvsam_client.file_set import not_written
from mvsam_client.images import Photograph, check_picture
from mvsam_client.sources import is_named_like_one, photographs
from mvsam_client.terminal import shown

_MOST_SHOWN = 16  # views of a video


def add_photographs(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """The words that name photographs, and the option `--frames`.

    Args:
        parser: that gets them.
        nargs: how many words, as argparse writes it.
    """
    parser.add_argument(
        "photographs",
        nargs=nargs,
        type=Path,
        metavar="PHOTOGRAPHS",
        help="of one static scene: pictures, a folder, a pattern, a video or a COLMAP project; the first is view 0",
    )
    parser.add_argument(
        "--frames",
        type=count,
        metavar="N",
        help="at most so many photographs, at even distances (16 of a video where left out); views count those",
    )


def given(sources: Sequence[Path], frames: int | None) -> list[Photograph]:
    """Reads what is named.

    Raises:
        InvalidRequestError: there is no such thing, or one is no readable picture; the message names it.
        MissingExtraError: a video or a HEIC picture, and what reads it is not installed.
    """
    if len(sources) == 1:
        found = photographs(sources[0], frames=frames)
    else:
        # A pattern that the shell has expanded may have matched folders too, and results of a former run.
        named = [source for source in sources if not (is_named_like_one(source) and source.is_dir())]
        meant = not_written(named) or named
        for source in named:
            if source not in meant:
                print(f"{shown(source)}: a former run of mvsam has written it, so it is passed over", file=sys.stderr)
        found = photographs([each for source in meant for each in photographs(source)], frames=frames)
    for source in sources:
        if note := _frames_note(source, found):
            print(shown(note), file=sys.stderr)
    for photograph in found:
        check_picture(photograph.encoded, _called(photograph, sources))
    return found


def _frames_note(source: Path, found: Sequence[Photograph]) -> str:
    """Says which frames of a video the views are; empty for what is no video."""
    views = [
        view for view, each in enumerate(found) if re.fullmatch(rf"{re.escape(source.stem)}_\d{{6,}}\.jpg", each.name)
    ]
    if not views or not source.is_file() or any(each.name == source.name for each in found):
        return ""
    shown = views if len(views) <= _MOST_SHOWN else [*views[: _MOST_SHOWN - 1], views[-1]]
    named = [f"view {view} is {found[view].name}" for view in shown]
    gap = "" if len(shown) == len(views) else "… "
    return (
        f"{source}: {len(views)} of its frames are taken, at even distances, and named by their numbers: "
        f"{', '.join(named[:-1])}{', ' if named[:-1] else ''}{gap}{named[-1]} (--frames N takes another number)"
    )


def counted(number: int) -> str:
    """So many photographs, in words for a sentence."""
    return "1 photograph" if number == 1 else f"{number} photographs"


def _called(photograph: Photograph, sources: Sequence[Path]) -> str:
    """The file as the user has named it, or the folder that it is in."""
    for source in sources:
        if source.name == photograph.name:
            return os.fspath(source)
    return f"{sources[0]}: {photograph.name}" if len(sources) == 1 else photograph.name
