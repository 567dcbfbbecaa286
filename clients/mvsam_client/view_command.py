"""`mvsam view`: photographs in, a page in the browser out, on which to click."""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from mvsam_client.address import Address, add_connection
from mvsam_client.client import Client
from mvsam_client.command_line import Exit, Parser, count, say
from mvsam_client.command_words import naming
from mvsam_client.given import add_photographs, counted, given
from mvsam_client.images import Photograph
from mvsam_client.progress import Progress
from mvsam_client.scene import ENCODE_TIMEOUT
from mvsam_client.viewer import DEFAULT_PORT, OUTPUTS, Exhibit, Page, check_installed

HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand until Ctrl-C."""
    options = parser().parse_args(arguments)
    check_installed()  # before the photographs have been sent
    photographs = given(options.photographs, options.frames)
    address = Address.of(options)
    with (
        address.client() as client,
        opened(client, photographs, options.host, options.port, address.timeout) as page,
    ):
        stay(page)
    return Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    made = Parser("mvsam view", "Opens a page in the browser: click in photographs or on the point cloud.")
    add_photographs(made)
    add_page(made)
    add_connection(made, ENCODE_TIMEOUT)
    return made


def add_page(parser: argparse.ArgumentParser) -> None:
    """The options that say where the page is.

    Args:
        parser: that gets them.
    """
    group = parser.add_argument_group("page")
    group.add_argument(
        "--port", default=DEFAULT_PORT, type=count, metavar="N", help="or the next free one (default %(default)s)"
    )
    group.add_argument(
        "--host",
        default=HOST,
        metavar="ADDRESS",
        help="to listen on (default %(default)s: this machine alone; whoever reaches it sees the photographs)",
    )


@contextmanager
def opened(
    client: Client,
    photographs: Sequence[Photograph],
    host: str = HOST,
    port: int = DEFAULT_PORT,
    timeout: float = ENCODE_TIMEOUT,
) -> Iterator[Page]:
    """The page of photographs, which are encoded now and forgotten by the server at the end.

    Args:
        client: of a server.
        photographs: of one scene.
        host: where the page listens.
        port: likewise.
        timeout: seconds for the encoding.

    Raises:
        MvsamError: as for `Client.encode` and `Page`.
    """
    began = time.monotonic()
    with naming(photographs), Progress(f"Encoding {counted(len(photographs))} at {client.url}"):
        scene = client.encode(photographs, outputs=OUTPUTS, timeout=timeout)
    note = f"{counted(len(photographs))} encoded in {time.monotonic() - began:.1f} s."
    with scene, Page(scene, Exhibit.of(photographs, scene.extra), host=host, port=port, note=note) as page:
        yield page


def stay(page: Page) -> None:
    """Says where the page is, and returns at Ctrl-C."""
    say(f"Open {page.url} in a browser; Ctrl-C ends.")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
