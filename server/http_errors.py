"""Errors over HTTP, in one form whatever is wrong: `{"error": "text"}`, as KServe has them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from server.doorman import Refused
from server.incoming import Incoming
from server.limits import HANDSHAKE, EntryLimits
from server.peers import plain
from server.texts import INTERNAL

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NAME = "mvsam"  # of the server, in its answers: no header says what it is made of
CLOSE_WITHIN = 1.0  # seconds for connections, after requests were given their time
HEADERS_WITHIN = 60.0  # seconds from a connection, or from the answer before, to the last header of a request
LINGER = 2.0  # seconds in which the rest of a body that was refused is thrown away
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.DEADLINE_EXCEEDED: 408,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
NO_HTTP = "this is not a valid HTTP/1.1 request; gRPC clients use the gRPC port"
TOO_LONG = "the path or a header is too long; send at most 8,000 bytes in a line"
EXPECTATION = "the header Expect must be 100-continue; leave it out"


def runner_of(routes: list[web.RouteDef], limits: EntryLimits, incoming: Incoming | None = None) -> web.AppRunner:
    """Returns what serves pages: with errors in JSON, and ending the work for clients that hang up.

    Args:
        routes: of the pages.
        limits: of connections and their time.
        incoming: is told which connections are through with TLS.
    """
    application = web.Application(middlewares=[_errors_in_json])
    application.on_response_prepare.append(_without_versions)
    application.add_routes(routes)
    return _Runner(
        application,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,  # nothing compressed is taken
        shutdown_timeout=CLOSE_WITHIN,
        keepalive_timeout=HEADERS_WITHIN,
        lingering_time=LINGER,
        limits=limits,
        incoming=incoming,
    )


class Site(web.TCPSite):
    """aiohttp's, with a limit for TLS handshakes: for it aiohttp has no setting."""

    async def start(self) -> None:
        """Listens on the port."""
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE if self._ssl_context else None,
        )


class _Runner(web.AppRunner):
    """aiohttp's, with connections of ours: for them it has no setting."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __init__(self, handler: Any, *, limits: EntryLimits, incoming: Incoming | None, **options: Any) -> None:
        super().__init__(handler, **options)
        self._limits, self.incoming = limits, incoming

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self._limits, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """Answers in our form, and logs in a line, what aiohttp itself would with a page and a traceback."""

    __slots__ = ("_limits", "_server")

    def __init__(self, server: _Server, limits: EntryLimits, **options: Any) -> None:
        super().__init__(server, **options)
        self._server, self._limits = server, limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a connection; where there are too many, ends one on which nothing is asked, or this one."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if self._server.incoming and peer:
            self._server.incoming.called(plain(*peer[:2]), "")
        if len(self._server.connections) > self._limits.connections:
            self._longest_idle().force_close()

    def _longest_idle(self) -> web.RequestHandler:
        """Returns the oldest without a request of the host that has most of them; this one where none is without."""
        idle = [each for each in self._server.connections if each._current_request is None]
        hosts = Counter(_host_of(each) for each in idle)
        return next((each for each in idle if hosts[_host_of(each)] == max(hosts.values())), self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to what never became a request; it closes the connection."""
        if request.writer.output_size:
            raise ConnectionError
        if status < 500:
            logger.info("a client sent no valid HTTP request: %s", type(exc).__name__)
            response = error_response(status, TOO_LONG if isinstance(exc, LineTooLong) else NO_HTTP)
        else:
            logger.error("a request failed", exc_info=exc)
            response = error_response(status, INTERNAL)
        response.headers["Server"] = NAME
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer, in our form also where aiohttp has refused the request before any page was asked."""
        if isinstance(resp, web.HTTPException):
            resp = error_response(resp.status, EXPECTATION if resp.status == 417 else NO_HTTP)
        async with read_within(request, self._limits.send_seconds):
            return await super().finish_response(request, resp, start_time)


def _host_of(connection: web.RequestHandler) -> str:
    address = connection.transport and connection.transport.get_extra_info("peername")
    return address[0] if address else ""


@asynccontextmanager
async def read_within(request: web.BaseRequest, seconds: float) -> AsyncIterator[None]:
    """Ends the connection of a client that does not read what is written in the block.

    Raises:
        ConnectionError: it has not, in so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        logger.info("a client has not read its answer within %g s", seconds)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionError from None


@web.middleware
async def _errors_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return error_response(CODES.get(refused.status, 500), str(refused))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return error_response(error.status, f"this page does not take this method; use {allowed}", {"Allow": allowed})
    except web.HTTPException as error:
        return error_response(error.status, "there is no such page; docs/protocol.md lists the pages")
    except ConnectionError:
        raise
    except Exception:
        logger.exception("%s", request.path)
        if request.writer.output_size:  # begun already: only the end of the connection tells of it
            raise ConnectionError from None
        return error_response(500, INTERNAL)


async def _without_versions(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = NAME


def error_response(code: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Returns an error as KServe has it."""
    return web.json_response({"error": text}, status=code, headers={**HEADERS.get(code, {}), **(headers or {})})
