"""The door for clients that speak gRPC: KServe v2, in front of a Triton that only this machine can reach.

It lets through what clients need and nothing else: the public models, and no control of models, logs, traces or shared
memory. It says truthfully whether the service is ready, answers UNAVAILABLE where Triton would let requests pile up,
and lets no path, key or traceback out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import Refused
from server.errand import SCENES, Metadata
from server.errands import TRACE, Errands
from server.grpc_errors import UNREADABLE

messages: Any = service_pb2

# Clients may ping, during calls that take long and between calls, as often as they like: gRPC's own never do so more
# than once a second. Who sends three pings below this interval, with nothing else between them, is cut.
SHORTEST_PING = 0.5  # seconds
OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", round(1000 * SHORTEST_PING)),
]
# What a request must know of a model's config. Of what the model is made, and how it is run, is not for clients; tools
# that are told of an ensemble's steps ask for those models too.
PUBLIC_CONFIG = {"name", "max_batch_size", "input", "output", "model_transaction_policy", "version_policy"}
EXTENSIONS = ["model_configuration", "statistics"]  # of KServe v2, those that are served over gRPC
REQUESTS_OF_A_STREAM = 64  # answered at once; what comes after them is not read yet
ENDS_BY_ERRORS = ("triton_grpc_error", "true")  # a client's wish for its stream: errors end it with their status


class Entry(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The service as clients see it; lives in one event loop.

    Args:
        errands: of all requests.
        is_ready: whether every model answers.
    """

    def __init__(self, errands: Errands, is_ready: Callable[[], bool]) -> None:
        self._errands, self._is_ready = errands, is_ready

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerReadyResponse(ready=self._is_ready())

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ModelReadyResponse(
            ready=await self._errands.introspection.is_model_ready(request.name, request.version)
        )

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        async with self._let_in(context):
            told = await self._errands.introspection.described("ServerMetadata", request)
            return messages.ServerMetadataResponse(name=told.name, version=told.version, extensions=EXTENSIONS)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        async with self._let_in(context):
            return await self._errands.introspection.described("ModelMetadata", request)

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        async with self._let_in(context):
            response = await self._errands.introspection.described("ModelConfig", request)
            for field, _ in response.config.ListFields():
                if field.name not in PUBLIC_CONFIG:
                    response.config.ClearField(field.name)
            return response

    async def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802
        async with self._let_in(context):
            return await self._errands.introspection.statistics(request)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        try:
            token = self._errands.identified(context.invocation_metadata())
            if request.model_name == SCENES:
                text = f"{SCENES} answers in parts; call ModelStreamInfer"
                raise self._errands.counted(Refused(grpc.StatusCode.INVALID_ARGUMENT, "not streamed", text))
            with self._errands.holding(token, request.ByteSize()):
                async with aclosing(
                    self._errands.run(request, token, _trace(context.invocation_metadata()))
                ) as answers:
                    response = await anext(answers)
            self._errands.hold_until_done(response, token, context)
            return response
        except Refused as refused:
            await self._refuse(refused, context)

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        metadata = [tuple(entry) for entry in context.invocation_metadata() or ()]
        # Responses and refusals, each with what is done when it is written; at the end its cause, or None, and None.
        answers: asyncio.Queue[Any] = asyncio.Queue(1)
        places = asyncio.Semaphore(REQUESTS_OF_A_STREAM)

        async def hand_over(answered: Any) -> None:
            """Returns when an answer is written: until then it counts as unread."""
            written = asyncio.get_running_loop().create_future()
            await answers.put((answered, written))
            await written

        async def answer(request: Any, is_paid: bool) -> None:
            try:
                token = self._errands.identified(metadata)
                if not is_paid:
                    self._errands.spend(token)
                if request is None:  # see `server.grpc_admission`
                    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "message", UNREADABLE)
                with self._errands.holding(token, request.ByteSize()):
                    async for response in self._errands.run(request, token, _trace(metadata)):
                        await hand_over(messages.ModelStreamInferResponse(infer_response=response))
            except Refused as refused:
                await hand_over(refused)
            finally:
                places.release()

        async def take() -> None:
            is_paid = True  # the first by the call itself, see `server.grpc_admission`
            cause: BaseException | None = None
            async with asyncio.TaskGroup() as group:
                try:
                    async for request in requests:
                        await places.acquire()
                        group.create_task(answer(request, is_paid))
                        del request  # a stream that waits for the next keeps nothing of this one
                        is_paid = False
                except grpc.aio.AbortError as error:  # it asked nothing for too long
                    cause = error
            await answers.put((cause, None))

        taking = asyncio.create_task(take())
        try:
            while True:
                answered, written = await answers.get()
                if written is None:
                    if answered is not None:
                        raise answered
                    return
                if not isinstance(answered, Refused):
                    yield answered
                elif ENDS_BY_ERRORS in metadata:
                    await self._refuse(answered, context)
                else:
                    text = f"{answered.status.name}: {answered}"
                    yield messages.ModelStreamInferResponse(error_message=text)
                if not written.done():  # else whoever handed it over has left
                    written.set_result(None)
                del answered  # a stream that waits for the next keeps nothing of this one
        finally:
            taking.cancel()

    async def _unserved(self, request: Any, context: Any) -> None:
        text = "control of models, logs, traces and shared memory is not for clients"
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

    RepositoryIndex = RepositoryModelLoad = RepositoryModelUnload = _unserved
    SystemSharedMemoryStatus = SystemSharedMemoryRegister = SystemSharedMemoryUnregister = _unserved
    CudaSharedMemoryStatus = CudaSharedMemoryRegister = CudaSharedMemoryUnregister = _unserved
    TraceSetting = LogSettings = _unserved

    @asynccontextmanager
    async def _let_in(self, context: Any) -> AsyncIterator[None]:
        """Lets in who has a token, and ends the call with the status of what is refused inside."""
        try:
            self._errands.identified(context.invocation_metadata())
            yield
        except Refused as refused:
            await self._refuse(refused, context)

    async def _refuse(self, refused: Refused, context: Any) -> None:
        await context.abort(refused.status, str(refused))


def _trace(metadata: Any) -> Metadata:
    return [(key, value) for key, value in metadata or () if key in TRACE]
