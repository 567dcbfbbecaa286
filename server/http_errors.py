"""Errors over HTTP, in one form whatever is wrong: `{"error": "text"}`, as KServe has them."""

import logging
from collections.abc import Awaitable, Callable, Mapping

import grpc
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from server.doorman import Refused
from server.texts import INTERNAL

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NAME = "mvsam"  # of the server, in its answers: no header says what it is made of
CLOSE_WITHIN = 1.0  # seconds for connections, after requests were given their time
CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}
NO_HTTP = "this is not a valid HTTP/1.1 request; gRPC clients use the gRPC port"
TOO_LONG = "the path or a header is too long; send at most 8,000 bytes in a line"
EXPECTATION = "the header Expect must be 100-continue; leave it out"


def runner_of(routes: list[web.RouteDef]) -> web.AppRunner:
    """Returns what serves pages: with errors in JSON, and ending the work for clients that hang up."""
    application = web.Application(middlewares=[_errors_in_json])
    application.on_response_prepare.append(_without_versions)
    application.add_routes(routes)
    return _Runner(
        application,
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,  # nothing compressed is taken
        shutdown_timeout=CLOSE_WITHIN,
    )


class _Runner(web.AppRunner):
    """aiohttp's, with connections of ours: for them it has no setting."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """Answers in our form, and logs in a line, what aiohttp itself would with a page and a traceback."""

    __slots__ = ()

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
        return await super().finish_response(request, resp, start_time)


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
