"""The one door for clients: KServe v2 over gRPC, in front of a Triton that only this machine can reach.

It lets through what clients need and nothing else: the public models, and no control of models, logs, traces or shared
memory. It says truthfully whether the service is ready, answers UNAVAILABLE where Triton would let requests pile up,
and lets no path, key or traceback out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.doorman import Doorman, Refused, Token
from server.errands import CHANNEL, SCENES, Errands, Metadata
from server.measures import Measures
from server.texts import fit_for_clients

logger = logging.getLogger(__name__)
messages: Any = service_pb2

TRACE = ("traceparent", "tracestate")  # W3C's names
ENDS_BY_ERRORS = ("triton_grpc_error", "true")  # a client's wish for its stream: errors end it with their status


class Entry(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The service as clients see it; lives in one event loop.

    Args:
        triton: address of Triton's gRPC endpoint.
        is_ready: whether every model answers.
        doorman: lets requests in.
        measures: counts them.
    """

    def __init__(self, triton: str, is_ready: Callable[[], bool], doorman: Doorman, measures: Measures) -> None:
        self._channel = grpc.aio.insecure_channel(triton, options=CHANNEL)
        self._triton: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._is_ready, self._doorman, self._measures = is_ready, doorman, measures
        self._errands = Errands(self._triton, is_ready, doorman, measures)

    async def close(self) -> None:
        """Ends the connection to Triton."""
        await self._channel.close()

    def abandon(self, model: str) -> None:
        """Ends the requests to a model whose process was lost."""
        self._errands.abandon(model)

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerReadyResponse(ready=self._is_ready())

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ModelReadyResponse(ready=self._is_ready() and request.name in self._doorman.inside)

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._told(self._triton.ServerMetadata, request, context)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._told(self._triton.ModelMetadata, request, context, request.name)

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        response = await self._told(self._triton.ModelConfig, request, context, request.name)
        # Of what a model is made is not for clients; tools that are told ask for those models too.
        response.config.ClearField("ensemble_scheduling")
        response.config.ClearField("platform")
        return response

    async def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._told(self._triton.ModelStatistics, request, context, request.name)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        try:
            token = self._identified(context.invocation_metadata())
            if request.model_name == SCENES:
                text = f"{SCENES} answers in parts; call ModelStreamInfer"
                raise self._counted(Refused(grpc.StatusCode.INVALID_ARGUMENT, "not streamed", text))
            async for response in self._errands.run(request, token, _trace(context.invocation_metadata())):
                return response
        except Refused as refused:
            await self._refuse(refused, context)

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        metadata = [tuple(entry) for entry in context.invocation_metadata() or ()]
        answers: asyncio.Queue[Any] = asyncio.Queue()  # responses, refusals, None at the end

        async def answer(request: Any, token: Token) -> None:
            try:
                async for response in self._errands.run(request, token, _trace(metadata)):
                    await answers.put(messages.ModelStreamInferResponse(infer_response=response))
            except Refused as refused:
                await answers.put(refused)

        async def take() -> None:
            try:
                token = self._identified(metadata)
                async with asyncio.TaskGroup() as group:
                    async for request in requests:
                        group.create_task(answer(request, token))
            except Refused as refused:
                await answers.put(refused)
            await answers.put(None)

        taking = asyncio.create_task(take())
        try:
            while (answered := await answers.get()) is not None:
                if not isinstance(answered, Refused):
                    yield answered
                elif ENDS_BY_ERRORS in metadata:
                    await self._refuse(answered, context)
                else:
                    text = f"{answered.status.name}: {answered}"
                    yield messages.ModelStreamInferResponse(error_message=text)
        finally:
            taking.cancel()

    async def _told(self, ask: Any, request: Any, context: Any, model: str | None = None) -> Any:
        """What Triton says of itself, or of a model that clients may know of."""
        try:
            self._identified(context.invocation_metadata())
            if model is not None:
                self._doorman.check_public(model)
            return await ask(request, timeout=context.time_remaining())
        except Refused as refused:
            await self._refuse(refused, context)
        except grpc.aio.AioRpcError as error:
            text = error.details() or ""
            logger.info("%s: %s", type(request).__name__, text)
            await context.abort(error.code(), fit_for_clients(text, "none"))

    def _identified(self, metadata: Any) -> Token:
        try:
            return self._doorman.identified(metadata)
        except Refused as refused:
            raise self._counted(refused) from None

    def _counted(self, refused: Refused) -> Refused:
        """One that the errands never see."""
        self._measures.rejections.labels(refused.reason).inc()
        return refused

    async def _refuse(self, refused: Refused, context: Any) -> None:
        await context.abort(refused.status, str(refused))


def _trace(metadata: Any) -> Metadata:
    """What makes a request part of a trace."""
    return [(key, value) for key, value in metadata or () if key in TRACE]
