"""`mvsam segment`: photographs and clicks in, a folder of masks and pictures out."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mvsam_client.client import DEFAULT_TIMEOUT, DEFAULT_URL, Client
from mvsam_client.errors import InvalidRequestError, MvsamError
from mvsam_client.images import check_picture, encode_image
from mvsam_client.outputs import CLOUD_OUTPUTS, Saved, caption, save
from mvsam_client.progress import Progress
from mvsam_client.prompts import Box, Click
from mvsam_client.result import Segmentation

_NUMBER = r"-?\d+(?:\.\d+)?"
_CLICK = re.compile(rf"(\d+):({_NUMBER}),({_NUMBER})(,[+-])?")
_BOX = re.compile(rf"(\d+):({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand; 0 done, 1 the server failed, 2 the request is wrong, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return _segment(options)
    except InvalidRequestError as error:
        return _fail(error, 2)
    except MvsamError as error:
        return _fail(error, 1)
    except OSError as error:
        return _fail(f"{options.out}: cannot be written ({error.strerror or error})", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def click(text: str) -> Click:
    """A click from VIEW:X,Y or VIEW:X,Y,- (negative)."""
    match = _CLICK.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no click; write VIEW:X,Y or VIEW:X,Y,- e.g. 0:320,200")
    return Click(int(match[1]), float(match[2]), float(match[3]), positive=match[4] != ",-")


def box(text: str) -> Box:
    """A box from VIEW:X0,Y0,X1,Y1."""
    match = _BOX.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no box; write VIEW:X0,Y0,X1,Y1 e.g. 0:100,80,400,300")
    x0, y0, x1, y1 = map(float, match.groups()[1:])
    return Box(int(match[1]), x0, y0, x1, y1)


def seconds(text: str) -> float:
    """A positive, finite number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write a number of seconds above 0")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mvsam segment", description="Finds the object that you click on in every photograph of a static scene."
    )
    parser.add_argument("photographs", nargs="+", type=Path, help="JPEG, PNG or WebP files; the first is view 0")
    parser.add_argument(
        "--click",
        action="append",
        default=[],
        type=click,
        metavar="VIEW:X,Y[,-]",
        help="a pixel of the object in the upright photograph VIEW; with ,- one of something else; may be repeated",
    )
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        type=box,
        metavar="VIEW:X0,Y0,X1,Y1",
        help="a box around the object; may be repeated",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder for masks and pictures")
    parser.add_argument("--url", default=DEFAULT_URL, metavar="HOST:PORT", help="gRPC endpoint (default %(default)s)")
    parser.add_argument(
        "--timeout", default=DEFAULT_TIMEOUT, type=seconds, metavar="SECONDS", help="(default %(default).0f)"
    )
    return parser


def _segment(options: argparse.Namespace) -> int:
    photographs = [_read(path) for path in options.photographs]
    _check_views(options, len(photographs))
    _make_folder(options.out)
    with Client(options.url) as client:
        count = "1 photograph" if len(photographs) == 1 else f"{len(photographs)} photographs"
        with Progress(f"Segmenting {count} at {options.url}"):
            result = client.segment(
                photographs,
                points=options.click,
                boxes=options.box,
                outputs=CLOUD_OUTPUTS,
                timeout=options.timeout,
            )
        names = [path.name for path in options.photographs]
        saved = save(options.out, result, photographs, names, points=options.click, boxes=options.box)
    _report(result, names, saved)
    return 0


def _read(path: Path) -> bytes:
    encoded = encode_image(path, str(path))
    check_picture(encoded, str(path))
    return encoded


def _check_views(options: argparse.Namespace, views: int) -> None:
    if not options.click and not options.box:
        raise InvalidRequestError("no prompt: point at the object with --click VIEW:X,Y or --box VIEW:X0,Y0,X1,Y1")
    for prompt in (*options.click, *options.box):
        if prompt.view >= views:
            raise InvalidRequestError(
                f"view {prompt.view} does not exist: views count from 0 and the last photograph is view {views - 1}"
            )


def _make_folder(folder: Path) -> None:
    """Before the call: its minutes must not be lost to a mistyped folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequestError(f"--out {folder}: cannot be made ({error.strerror}); name another folder") from None


def _report(result: Segmentation, names: Sequence[str], saved: Saved) -> None:
    for view, name in enumerate(names):
        print(caption(result, view, name))
    if not result.areas.any():
        print("No pixel was selected in any view: click nearer the middle of the object, or in more views.")
    print(f"Look at {saved.contact_sheet}; beside it are overlays/, masks/, {saved.annotations.name}", end="")
    print(f" and {saved.point_cloud.name}" if saved.point_cloud else "")


def _fail(reason: object, code: int) -> int:
    print(f"mvsam segment: {reason}", file=sys.stderr)
    return code
