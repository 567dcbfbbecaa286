"""The package viser, which draws the page: started so that it is private and does not talk.

Browsers let any page open WebSockets to any address, this machine's own included, and viser answers all: other pages in
a person's browser could fetch the photographs. Requests say which page they come from; those of others are refused.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mvsam_client.errors import missing_extra
from mvsam_client.wire import HERE

if TYPE_CHECKING:
    import viser


def check_installed() -> None:
    """Looks whether there is viser.

    Raises:
        MissingExtraError: there is none.
    """
    try:
        import viser  # noqa: F401
    except ModuleNotFoundError as error:
        raise missing_extra(f"the viewer needs the package {error.name}", "viewer") from None


def started(host: str, port: int) -> "viser.ViserServer":
    """A page without content, at this port or the next free one.

    Raises:
        MissingExtraError: viser is not installed.
    """
    check_installed()
    import viser
    import websockets.asyncio.server

    with _own_page_only(websockets.asyncio.server, host in HERE), redirect_stdout(io.StringIO()):
        return viser.ViserServer(host, port, label="MV-SAM", verbose=False)


def stop(server: "viser.ViserServer") -> None:
    """Ends it."""
    with redirect_stdout(io.StringIO()):
        server.stop()


def is_own(headers: Mapping[str, str], is_local: bool) -> bool:
    """Whether a request comes from the page itself, or from no page.

    Args:
        headers: of the request.
        is_local: whether the page is for this machine alone. Then the address in the request must be this machine's
            too: a foreign name that leads here would make foreign pages look like this one.
    """
    host, origin = headers.get("Host", ""), headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    return not is_local or urlsplit(f"//{host}").hostname in HERE


@contextmanager
def _own_page_only(module: Any, is_local: bool) -> Iterator[None]:
    """What begins to listen within the block, by the module's `serve`, refuses requests of other pages."""
    serve = module.serve

    def guarded(*arguments: Any, process_request: Callable[[Any, Any], Any], **options: Any) -> Any:
        def checked(connection: Any, request: Any) -> Any:
            if is_own(request.headers, is_local):
                return process_request(connection, request)
            return connection.respond(HTTPStatus.FORBIDDEN, "These photographs are not for other pages.\n")

        return serve(*arguments, process_request=checked, **options)

    module.serve = guarded
    try:
        yield
    finally:
        module.serve = serve
