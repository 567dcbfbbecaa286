"""`mvsam segment`: photographs and clicks in, a folder of masks and pictures out."""

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mvsam_client.address import Address, add_connection
from mvsam_client.client import DEFAULT_TIMEOUT
from mvsam_client.command_line import FOLDER, CommandError, Exit, Parser, add_json, print_json, say
from mvsam_client.command_words import naming
from mvsam_client.errors import InvalidRequestError
from mvsam_client.file_names import portable, shortened
from mvsam_client.file_set import check_free, claimed
from mvsam_client.given import add_photographs, counted, given
from mvsam_client.images import Photograph
from mvsam_client.outputs import CLOUD_OUTPUTS, Saved, caption, save
from mvsam_client.progress import Progress
from mvsam_client.prompt_checks import check_prompts
from mvsam_client.prompts import Box, Click
from mvsam_client.result import Segmentation
from mvsam_client.terminal import shown

_NUMBER = r"-?\d+(?:\.\d+)?"
_OBJECT = r"(?:@(.*))?"
_CLICK = re.compile(rf"(\d+):({_NUMBER}),({_NUMBER})(,[+-])?{_OBJECT}")
_BOX = re.compile(rf"(\d+):({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}){_OBJECT}")


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand."""
    options = parser().parse_args(arguments)
    photographs = given(options.photographs, options.frames)
    check_prompts(options.click, options.box, photographs)
    names = [photograph.name for photograph in photographs]
    began = time.perf_counter()
    with _folder(options, names):
        result = _segmented(options, photographs)
        seconds = time.perf_counter() - began
        saved = _saved(options, result, photographs, names)
    if options.json:
        print_json(as_json(result, names, saved, seconds))
    else:
        _report(result, names, saved)
    return Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    made = Parser("mvsam segment", "Finds the object that you click on in every photograph of a static scene.")
    add_photographs(made)
    made.add_argument(
        "--click",
        action="append",
        default=[],
        type=click,
        metavar="VIEW:X,Y[,-][@OBJECT]",
        help="a pixel of the object in the upright photograph VIEW; with ,- one of something else; OBJECT is any whole "
        "number, 0 where none is named; may be repeated",
    )
    made.add_argument(
        "--box",
        action="append",
        default=[],
        type=box,
        metavar="VIEW:X0,Y0,X1,Y1[@OBJECT]",
        help="a box around the object; may be repeated",
    )
    made.add_argument(
        "--out",
        required=True,
        type=folder,
        metavar=FOLDER,
        help="the folder for masks and pictures; those of a former run are replaced",
    )
    made.add_argument(
        "--scene", metavar="ID", help="of `mvsam encode`, of these same photographs: they are not sent again"
    )
    add_connection(made, DEFAULT_TIMEOUT)
    add_json(made)
    return made


def click(text: str) -> Click:
    """A click from VIEW:X,Y or VIEW:X,Y,- (negative), perhaps with @OBJECT."""
    match = _CLICK.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no click; write VIEW:X,Y or VIEW:X,Y,- e.g. 0:320,200")
    return Click(
        int(match[1]), float(match[2]), float(match[3]), positive=match[4] != ",-", object=_object(text, match[5])
    )


def box(text: str) -> Box:
    """A box from VIEW:X0,Y0,X1,Y1, perhaps with @OBJECT."""
    match = _BOX.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no box; write VIEW:X0,Y0,X1,Y1 e.g. 0:100,80,400,300")
    x0, y0, x1, y1 = map(float, match.groups()[1:5])
    return Box(int(match[1]), x0, y0, x1, y1, object=_object(text, match[6]))


def folder(text: str) -> Path:
    """A folder, by its name."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; name a folder, or write . for this one")
    return Path(text)


def _object(text: str, number: str | None) -> int:
    if number is None:
        return 0
    if not re.fullmatch(r"-?\d{1,1000}", number):
        raise argparse.ArgumentTypeError(f"{text!r} names no object; write a whole number behind @, e.g. @7")
    return int(number)


def as_json(result: Segmentation, names: Sequence[str], saved: Saved, seconds: float) -> dict[str, Any]:
    """For programs: every view's objects, and where the files are. Masks are in the COCO file."""
    views = [
        {
            "view": view,
            "name": portable(name),
            "width": int(result.sizes[view][1]),
            "height": int(result.sizes[view][0]),
            "objects": [
                {"object": object_id, "area": int(area), "score": float(score), "mask": portable(str(row[view]))}
                for object_id, area, score, row in zip(
                    result.object_ids, result.areas[:, view], result.scores[:, view], saved.masks, strict=True
                )
            ],
        }
        for view, name in enumerate(names)
    ]
    return {
        "views": views,
        "contact_sheet": portable(str(saved.contact_sheet)),
        "annotations": portable(str(saved.annotations)),
        "point_cloud": portable(str(saved.point_cloud)) if saved.point_cloud else None,
        "seconds": seconds,
    }


@contextmanager
def _folder(options: argparse.Namespace, names: Sequence[str]) -> Iterator[None]:
    """Claims `--out` before the call, whose minutes must not be lost to a mistyped folder or to another run."""
    object_ids = sorted({prompt.object for prompt in (*options.click, *options.box)})
    with ExitStack() as held:
        try:
            held.enter_context(claimed(options.out))
            check_free(options.out, Saved.of(names, object_ids, options.scene is None).files)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"--out {options.out}: {error}") from None
        except (FileExistsError, NotADirectoryError):
            raise InvalidRequestError(
                f"--out {options.out}: a file is in the place of the folder; name another folder"
            ) from None
        except OSError as error:
            raise InvalidRequestError(
                f"--out {options.out}: cannot be made ({error.strerror}); name another folder"
            ) from None
        yield


def _segmented(options: argparse.Namespace, photographs: Sequence[Photograph]) -> Segmentation:
    address = Address.of(options)
    prompts = {"points": options.click, "boxes": options.box, "timeout": options.timeout}
    with (
        address.client() as client,
        naming(photographs),
        Progress(f"Segmenting {counted(len(photographs))} at {address.url}"),
    ):
        if options.scene is None:
            files = [photograph.encoded for photograph in photographs]
            return client.segment(files, outputs=CLOUD_OUTPUTS, **prompts)
        scene = client.scene(options.scene)
        scene.describe(timeout=options.timeout)
        scene.check(photographs)
        return scene.segment(**prompts)


def _saved(
    options: argparse.Namespace, result: Segmentation, photographs: Sequence[Photograph], names: Sequence[str]
) -> Saved:
    files = [photograph.encoded for photograph in photographs]
    try:
        return save(options.out, result, files, names, points=options.click, boxes=options.box)
    except OSError as error:
        raise CommandError(f"{options.out}: cannot be written ({error.strerror or error})") from None


def _report(result: Segmentation, names: Sequence[str], saved: Saved) -> None:
    for view, name in enumerate(names):
        say(caption(result, view, name))
    if not result.areas.any():
        say("No pixel was selected in any view: click nearer the middle of the object, or in more views.")
    if long := shortened(names):
        count = "1 name is" if len(long) == 1 else f"{len(long)} names are"
        say(f"{count} too long for a file system and shortened in the files' names; their numbers are the views'.")
    beside = ["overlays/", "masks/", saved.annotations.name, *([saved.point_cloud.name] if saved.point_cloud else [])]
    say(f"Look at {shown(portable(str(saved.contact_sheet)))}; beside it are {', '.join(beside[:-1])} and {beside[-1]}")
