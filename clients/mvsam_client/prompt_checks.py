"""Clicks and boxes of a command line against the photographs beside them, before anything is sent."""

from collections.abc import Sequence

from mvsam_client.errors import InvalidRequestError
from mvsam_client.images import Photograph, upright_size
from mvsam_client.prompts import Box, Click


def check_prompts(clicks: Sequence[Click], boxes: Sequence[Box], photographs: Sequence[Photograph]) -> None:
    """Looks at everything that the server would refuse.

    Raises:
        InvalidRequestError: there is no prompt, one is in no photograph or outside it, a box is empty, or an object has
            negative clicks only; the message repeats the option and names the file.
    """
    if not clicks and not boxes:
        raise InvalidRequestError("no prompt: point at the object with --click VIEW:X,Y or --box VIEW:X0,Y0,X1,Y1")
    for click in clicks:
        option = _click(click)
        _check_view(option, click.view, photographs)
        _check_inside(option, click.view, [(click.x, click.y)], 0.5, photographs)
    for box in boxes:
        option = _box(box)
        _check_view(option, box.view, photographs)
        if not (box.x0 < box.x1 and box.y0 < box.y1):
            raise InvalidRequestError(f"{option} is empty: write the upper left corner first, VIEW:X0,Y0,X1,Y1")
        # An end may count as exclusive.
        _check_inside(option, box.view, [(box.x0, box.y0), (box.x1, box.y1)], 0.0, photographs)
    positive = {click.object for click in clicks if click.positive} | {box.object for box in boxes}
    for click in clicks:
        if click.object not in positive:
            raise InvalidRequestError(
                f"{_click(click)}: object {click.object} has negative clicks only; add a click on the object, or a "
                "--box around it"
            )


def _check_view(option: str, view: int, photographs: Sequence[Photograph]) -> None:
    if view >= len(photographs):
        last = len(photographs) - 1
        raise InvalidRequestError(
            f"{option}: view {view} does not exist: views count from 0 and the last photograph is view {last}, "
            f"{photographs[last].name}"
        )


def _check_inside(
    option: str, view: int, corners: Sequence[tuple[float, float]], margin: float, photographs: Sequence[Photograph]
) -> None:
    name = photographs[view].name
    height, width = upright_size(photographs[view].encoded, name)
    for x, y in corners:
        if not (-0.5 <= x <= width - margin and -0.5 <= y <= height - margin):
            raise InvalidRequestError(
                f"{option} is outside {name}, which is {width}x{height} when held upright; give X from 0 to "
                f"{width - 1} and Y from 0 to {height - 1}"
            )


def _click(click: Click) -> str:
    sign = "" if click.positive else ",-"
    return f"--click {click.view}:{click.x:g},{click.y:g}{sign}{_object(click.object)}"


def _box(box: Box) -> str:
    return f"--box {box.view}:{box.x0:g},{box.y0:g},{box.x1:g},{box.y1:g}{_object(box.object)}"


def _object(number: int) -> str:
    return f"@{number}" if number else ""
