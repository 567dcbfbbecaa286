"""`mvsam bench`: how fast a running server encodes photographs and answers clicks on them."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

from mvsam_client.address import Address, add_connection
from mvsam_client.command_line import Exit, Parser, add_json, count, print_json, say
from mvsam_client.given import add_photographs, counted, given
from mvsam_client.latencies import Measured, generated, measure, steps
from mvsam_client.progress import Progress
from mvsam_client.scene import ENCODE_TIMEOUT
from mvsam_client.terminal import shown

NAMES = {
    "encode": "encode",
    "first_view": "click, first view",
    "click": "click, all views",
}
_SIZE = re.compile(r"([1-9]\d*)[x×]([1-9]\d*)")


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand; nothing stays in the server."""
    options = parser().parse_args(arguments)
    if options.photographs:
        photographs = [each.encoded for each in given(options.photographs, options.frames)]
        what = counted(len(photographs))
    else:
        photographs = generated(options.views, *options.size)
        what = f"{counted(options.views)} of {options.size[0]}×{options.size[1]}"
    address = Address.of(options)
    total = steps(options.encodes, options.clicks)
    # Without retries: their pauses are no latency of the server's.
    with address.client(retries=0) as client, Progress(f"Timing {what} at {address.url}", total=total) as progress:
        identity = client.server
        measured = measure(client, photographs, options.encodes, options.clicks, options.timeout, progress.advance)
    server = f"{identity.name} {identity.version}"
    found = as_json(measured, address.url, server, len(photographs))
    if options.json:
        print_json(found)
    else:
        say(report(found, what))
    return Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    made = Parser(
        "mvsam bench",
        "Times a running server as one client finds it, one call at a time, the way through the network included. "
        "Photographs are generated where none are named.",
    )
    add_photographs(made, "*")
    made.add_argument("--views", type=count, default=4, metavar="N", help="generated photographs (default %(default)s)")
    made.add_argument(
        "--size", type=size, default=(672, 378), metavar="WxH", help="of generated photographs (default 672x378)"
    )
    made.add_argument("--encodes", type=count, default=5, metavar="N", help="how often to encode (default %(default)s)")
    made.add_argument("--clicks", type=count, default=50, metavar="N", help="how often to click (default %(default)s)")
    add_connection(made, ENCODE_TIMEOUT)
    add_json(made)
    return made


def size(text: str) -> tuple[int, int]:
    """Width and height from WxH."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write WxH e.g. 672x378")
    return int(match[1]), int(match[2])


def as_json(measured: Measured, url: str, server: str, views: int) -> dict[str, Any]:
    """For programs: milliseconds of each kind of call."""
    figures = {name: getattr(measured, name).figures() for name in NAMES}
    return {"url": url, "server": server, "views": views, "milliseconds": figures}


def report(found: dict[str, Any], what: str) -> str:
    """The same for people, as a table.

    Args:
        found: of `as_json`.
        what: was encoded, in words.
    """
    columns = ("calls", "p50", "p90", "p99", "mean", "min", "max")
    lines = [shown(f"{found['url']} ({found['server']}), {what}; milliseconds")]
    lines.append(f"{'':<18}" + "".join(f"{column:>9}" for column in columns))
    for name, title in NAMES.items():
        figures = found["milliseconds"][name]
        cells = "".join(f"{figures[column]:>9.1f}" for column in columns[1:])
        lines.append(f"{title:<18}{figures['calls']:>9}{cells}")
    return "\n".join(lines)
