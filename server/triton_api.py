"""What the embedded server is told and asked over its own gRPC endpoint, which no client sees."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

messages: Any = service_pb2

OPTIONS = [("grpc.enable_http_proxy", 0)]
ANSWERS_WITHIN = 10.0  # seconds


class TritonError(RuntimeError):
    """Triton refused, did not do it in time, or is not there."""


class TritonApi:
    """One server's endpoint.

    Args:
        url: of it, as gRPC has it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def metadata(self) -> Any:
        """Triton's own description of itself: `name`, `version`, `extensions`."""
        return self._ask("ServerMetadata", messages.ServerMetadataRequest())

    def models(self) -> list[str]:
        """The names of the models that are ready, sorted."""
        index = self._ask("RepositoryIndex", messages.RepositoryIndexRequest(ready=True))
        return sorted(model.name for model in index.models)

    def config(self, model: str) -> Any:
        """A model's configuration: ModelConfig."""
        return self._ask("ModelConfig", messages.ModelConfigRequest(name=model)).config

    def is_ready(self) -> bool:
        """Whether Triton calls every model ready."""
        try:
            return self._ask("ServerReady", messages.ServerReadyRequest()).ready
        except TritonError:
            return False

    def reload(self, model: str, *, unload_within: float, load_within: float) -> None:
        """Unloads a model and loads it again, with new processes; models that are made of it stay.

        Args:
            model: its name.
            unload_within, load_within: seconds for either.

        Raises:
            TritonError: it cannot be unloaded or loaded, or not in time.
        """
        deadline = time.monotonic() + unload_within
        with _said(f"{model} could not be unloaded"):
            self._ask("RepositoryModelUnload", messages.RepositoryModelUnloadRequest(model_name=model), unload_within)
            while model in self.models():
                if time.monotonic() > deadline:
                    raise TritonError(f"not within {unload_within:g} s")
                time.sleep(0.02)
        with _said(f"{model} could not be loaded"):
            self._ask("RepositoryModelLoad", messages.RepositoryModelLoadRequest(model_name=model), load_within)

    def _ask(self, method: str, request: Any, timeout: float = ANSWERS_WITHIN) -> Any:
        with grpc.insecure_channel(self._url, options=OPTIONS) as channel:
            try:
                return getattr(service_pb2_grpc.GRPCInferenceServiceStub(channel), method)(request, timeout=timeout)
            except grpc.RpcError as error:
                raise TritonError(f"{method}: {error.details()}") from None  # pyright: ignore[reportAttributeAccessIssue]


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    try:
        yield
    except TritonError as error:
        raise TritonError(f"{what}: {error}") from None
