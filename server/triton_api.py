"""What the embedded server is told and asked over its own HTTP endpoint, which no client sees."""

import json
import time
import urllib.error
import urllib.request
from typing import Any


class TritonError(RuntimeError):
    """Triton refused, or did not do it in time."""


class TritonApi:
    """One server's endpoint.

    Args:
        url: host and port.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        # Without proxies: those of the environment are for the world, not for loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def metadata(self) -> dict[str, Any]:
        """Triton's own description of itself: `name`, `version`, `extensions`."""
        return self._ask("v2")

    def models(self) -> list[str]:
        """The names of the models that are ready, sorted."""
        index = self._ask("v2/repository/index", body=b"{}")
        return sorted(model["name"] for model in index if model.get("state") == "READY")

    def config(self, model: str) -> dict[str, Any]:
        """A model's configuration."""
        return self._ask(f"v2/models/{model}/config")

    def is_ready(self) -> bool:
        """Whether Triton calls every model ready."""
        try:
            self._ask("v2/health/ready")
        except OSError:  # HTTP's errors, refused connections and timeouts among them
            return False
        return True

    def reload(self, model: str, *, unload_within: float, load_within: float) -> None:
        """Unloads a model and loads it again, with new processes; models that are made of it stay.

        Args:
            model: its name.
            unload_within, load_within: seconds for either.

        Raises:
            TritonError: it cannot be unloaded or loaded, or not in time.
        """
        deadline = time.monotonic() + unload_within
        try:
            self._ask(f"v2/repository/models/{model}/unload", body=b"{}", timeout=unload_within)
            while model in self.models():
                if time.monotonic() > deadline:
                    raise TritonError(f"{model} was not unloaded within {unload_within:g} s")
                time.sleep(0.02)
        except OSError as error:
            raise TritonError(f"{model} could not be unloaded: {error}") from None
        try:
            self._ask(f"v2/repository/models/{model}/load", body=b"{}", timeout=load_within)
        except urllib.error.HTTPError as error:
            raise TritonError(f"{model} could not be loaded: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise TritonError(f"{model} could not be loaded: {error}") from None

    def _ask(self, path: str, body: bytes | None = None, timeout: float = 10) -> Any:
        with self._opener.open(f"http://{self._url}/{path}", data=body, timeout=timeout) as response:
            return json.loads(response.read() or b"null")
