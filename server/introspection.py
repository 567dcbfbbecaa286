"""Answers questions about the service and its models as Triton does: metadata, configuration, statistics, readiness."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from server.doorman import Doorman, Refused
from server.signatures import Signature
from server.texts import INTERNAL, NOT_READY, is_loss

logger = logging.getLogger(__name__)
messages: Any = service_pb2

DESCRIBED_WITHIN = 5.0  # seconds: Triton tells of itself at once, or not at all


class Introspection:
    """Asks Triton, and passes on what is for clients.

    Args:
        triton: stub of its gRPC endpoint.
        is_ready: whether every model answers.
        doorman: knows which models are for clients.
        signatures: of these, by name.
        within: seconds that Triton has.
    """

    def __init__(
        self,
        triton: Any,
        is_ready: Callable[[], bool],
        doorman: Doorman,
        signatures: Mapping[str, Signature],
        within: float = DESCRIBED_WITHIN,
    ) -> None:
        self._triton, self._is_ready, self._doorman, self._signatures = triton, is_ready, doorman, signatures
        self._within = within

    def check_public(self, model: str, version: str = "") -> None:
        """Raises Refused where a model is none for clients, or has no such version."""
        self._doorman.check_public(model)
        self._signatures[model].check_version(version)

    async def described(self, method: str, request: Any) -> Any:
        """What Triton says of itself, or of a model that clients may know of.

        Args:
            method: of KServe v2, e.g. "ModelMetadata".
            request: its message.

        Raises:
            Refused: the model is none for clients, or Triton does not say.
        """
        if hasattr(request, "name"):
            self.check_public(request.name, request.version)
        return await self._told(method, request)

    async def statistics(self, request: Any) -> Any:
        """What Triton has counted of a model; where none is named, of all that clients may know of.

        Raises:
            Refused: as for `described`.
        """
        if request.name:
            return await self.described("ModelStatistics", request)
        if request.version:
            text = "the request names a version and no model; name both, or neither"
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "version", text)
        response = await self._told("ModelStatistics", request)
        public = [each for each in response.model_stats if each.name in self._doorman.inside]
        return messages.ModelStatisticsResponse(model_stats=public)

    async def is_model_ready(self, model: str, version: str = "") -> bool:
        """Whether a model is there for clients, in this version, and answers."""
        try:
            return (await self.described("ModelReady", messages.ModelReadyRequest(name=model, version=version))).ready
        except Refused:
            return False

    async def _told(self, method: str, request: Any) -> Any:
        try:
            if not self._is_ready():
                raise Refused(grpc.StatusCode.UNAVAILABLE, "not ready", NOT_READY)
            return await getattr(self._triton, method)(request, timeout=self._within)
        except grpc.aio.AioRpcError as error:
            text = error.details() or ""
            logger.info("%s: %s", method, text)
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or is_loss(error.code().name, text):
                raise Refused(grpc.StatusCode.UNAVAILABLE, "not ready", NOT_READY) from None
            raise Refused(grpc.StatusCode.INTERNAL, "failed", INTERNAL) from None
