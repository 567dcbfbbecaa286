"""Inference over HTTP: KServe v2's REST, in front of the same errands as gRPC.

A model that answers in parts is answered in lines, each a whole response in JSON, as soon as it is there.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc
from aiohttp import web
from tritonclient.grpc import service_pb2

from server.doorman import Refused, Token
from server.errand import SCENES, Metadata
from server.errands import TRACE, Errands
from server.http_errors import read_within
from server.limits import EntryLimits
from server.rest import MOST_JSON, Asked, decode, encode

messages: Any = service_pb2

JSON_LENGTH = "Inference-Header-Content-Length"
LONG_JSON = 2**14  # bytes: longer ones are read in another thread
SLOWEST = 2**17  # bytes a second of a body, once `EntryLimits.receive_seconds` have passed
LONGEST_TRACE = 512  # characters of either header, what W3C asks to be passed on
LINES = "application/x-ndjson"
EXTENSIONS = ["binary_tensor_data"]  # of KServe v2, those that are served over HTTP


class HttpInference:
    """Its pages; lives in one event loop.

    Args:
        errands: of all requests.
        limits: of bodies, answers and their time.
        needs_certificate: whether clients must have shown one.
    """

    def __init__(self, errands: Errands, limits: EntryLimits, needs_certificate: bool = False) -> None:
        self._errands, self._limits, self._needs_certificate = errands, limits, needs_certificate
        self._inside: set[asyncio.Task[Any]] = set()
        self._is_over = False

    def routes(self) -> list[web.RouteDef]:
        """For an application."""
        own = [web.get("/v2", self._server)]
        for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            own += [
                web.get(model, self._model),
                web.get(f"{model}/ready", self._ready),
                web.post(f"{model}/infer", self._infer),
            ]
        return own

    async def drain(self, within: float) -> None:
        """Waits until the requests inside are answered; those that are not within so many seconds are told so."""
        if self._inside:
            await asyncio.wait(self._inside, timeout=within)
        self._is_over = True
        for task in self._inside:
            task.cancel()

    async def _server(self, request: web.Request) -> web.Response:
        self._identify(request)
        told = await self._errands.introspection.described("ServerMetadata", messages.ServerMetadataRequest())
        return web.json_response({"name": told.name, "version": told.version, "extensions": EXTENSIONS})

    async def _model(self, request: web.Request) -> web.Response:
        self._identify(request)
        model, version = _model_of(request)
        told = await self._errands.introspection.described(
            "ModelMetadata", messages.ModelMetadataRequest(name=model, version=version)
        )
        tensors = {
            kind: [{"name": each.name, "datatype": each.datatype, "shape": list(each.shape)} for each in listed]
            for kind, listed in (("inputs", told.inputs), ("outputs", told.outputs))
        }
        return web.json_response(
            {"name": told.name, "versions": list(told.versions), "platform": told.platform, **tensors}
        )

    async def _ready(self, request: web.Request) -> web.Response:
        self._identify(request)
        model, version = _model_of(request)
        self._errands.introspection.check_public(model, version)
        return web.Response(status=200 if await self._errands.introspection.is_model_ready(model, version) else 503)

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        task.add_done_callback(self._inside.discard)  # when its answer is written, too
        with self._until_it_is_over():
            return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        token = self._identify(request)
        model, version = _model_of(request)
        try:
            self._errands.introspection.check_public(model, version)
            length, text_length = _lengths(request, self._limits.message_bytes)
        except Refused as refused:
            raise self._errands.unread(model, token, refused) from None
        with self._errands.holding(token, length):
            try:
                text, rest = await self._body(request, length, text_length)
                is_long = len(text) > LONG_JSON
                asked = await asyncio.to_thread(decode, model, text, rest) if is_long else decode(model, text, rest)
                del text, rest
            except Refused as refused:
                raise self._errands.unread(model, token, refused) from None
            trace = [(key, value) for key, value in _metadata(request) if key in TRACE and _is_fit_for_grpc(value)]
            async with aclosing(self._errands.run(asked.request, token, trace)) as answers:
                if model == SCENES:
                    return await self._lines(request, answers, asked)
                return await self._whole(request, await anext(answers), asked)

    async def _body(self, request: web.Request, length: int, text_length: int) -> tuple[bytes, memoryview]:
        """JSON, and the binary tensors behind it.

        Raises:
            Refused: DEADLINE_EXCEEDED: it did not come in time.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.receive_seconds + length / SLOWEST):
                async for chunk in request.content.iter_any():
                    body += chunk
        except TimeoutError:
            text = "the body did not arrive in time; send it faster, or in parts"
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, "body", text) from None
        return bytes(body[:text_length]), memoryview(body)[text_length:]

    async def _whole(self, request: web.Request, answer: Any, asked: Asked) -> web.StreamResponse:
        text, binary = self._encoded(answer, asked)
        headers = {JSON_LENGTH: str(len(text)), "Content-Type": "application/octet-stream"} if binary else {}
        response = web.Response(body=b"".join((text, *binary)), headers={"Content-Type": "application/json"} | headers)
        async with read_within(request, self._limits.send_seconds):  # here, where its bytes still count
            await response.prepare(request)
            await response.write_eof()
        return response

    async def _lines(self, request: web.Request, answers: AsyncIterator[Any], asked: Asked) -> web.StreamResponse:
        """Each answer as soon as it is there; an error after the first of them is the last line."""
        response = web.StreamResponse(headers={"Content-Type": LINES})
        try:
            with self._until_it_is_over():
                async for answer in answers:
                    line, _ = self._encoded(answer, asked)
                    async with read_within(request, self._limits.send_seconds):
                        if not response.prepared:
                            await response.prepare(request)
                        await response.write(line + b"\n")
        except Refused as refused:
            if not response.prepared:
                raise
            await response.write(json.dumps({"error": f"{refused.status.name}: {refused}"}).encode() + b"\n")
        await response.write_eof()
        return response

    def _encoded(self, answer: Any, asked: Asked) -> tuple[bytes, list[bytes]]:
        try:
            return encode(answer, asked)
        except Refused as refused:
            raise self._errands.counted(refused) from None

    def _identify(self, request: web.Request) -> Token:
        """Whose request it is, counted against its quota.

        Raises:
            Refused: nobody's that is known, or more than its token may have.
        """
        if self._needs_certificate and not (request.transport and request.transport.get_extra_info("peercert")):
            text = "no certificate of a client; connect with one that this server's authority has signed"
            raise self._errands.counted(Refused(grpc.StatusCode.PERMISSION_DENIED, "certificate", text))
        return self._errands.admit(_metadata(request))

    @contextmanager
    def _until_it_is_over(self) -> Iterator[None]:
        """Raises Refused in place of the cancellation with which `drain` ends."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_over:  # the client hung up
                raise
            text = "the service is stopping; ask another, or try again in a few seconds"
            raise Refused(grpc.StatusCode.UNAVAILABLE, "stopping", text) from None


def _model_of(request: web.Request) -> tuple[str, str]:
    """Name and version of the model that a path names; no version is an empty one."""
    return request.match_info["model"], request.match_info.get("version", "")


def _metadata(request: web.Request) -> Metadata:
    """The headers as gRPC has them; bytes that are no text, which arrive as halves of surrogate pairs, become `?`."""
    return [(key.lower(), value.encode(errors="replace").decode()) for key, value in request.headers.items()]


def _is_fit_for_grpc(value: str) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= LONGEST_TRACE


def _lengths(request: web.Request, most: int) -> tuple[int, int]:
    """Bytes of a body that is not read yet, and of the JSON at its beginning.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    length, told = request.content_length, request.headers.get(JSON_LENGTH)
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise _refusal("the body is compressed; send it uncompressed, as photographs already are compressed")
    if length is None:
        raise _refusal("the body has no Content-Length; send it whole, with its length")
    if length > most:
        raise _refusal(f"the body has {length} bytes, more than {most}; send fewer or smaller photographs")
    if told is not None and not re.fullmatch("[0-9]{1,10}", told):
        raise _refusal(f"{JSON_LENGTH} is not a number; give the JSON's length in bytes")
    text_length = length if told is None else int(told)
    if text_length > length:
        raise _refusal(f"{JSON_LENGTH} is {text_length}, and the body has {length} bytes; give the JSON's length")
    if text_length > MOST_JSON:
        raise _refusal(f"the JSON has {text_length} bytes, more than {MOST_JSON}; send large tensors as binary data")
    return length, text_length


def _refusal(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, "body", text)
