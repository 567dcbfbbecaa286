"""What is attacked, and what an attack is."""

import http.client
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from mvsam_client import Client, MvsamError, Tls
from mvsam_client.connection import Connection
from mvsam_client.wire import channel_options, metadata_of
from server.trials.running import Served

messages: Any = service_pb2
STATUSES = {str(code.value[0]): code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Target:
    """A service and what an attacker has of it.

    Attributes:
        service: that is attacked.
        repository: that it serves.
        folder: for files; everybody may look into it, and the service's own logs and tokens are in it.
        tokens: by the names of their owners.
        tls: whom to trust, where the service has certificates.
    """

    service: Served
    repository: Path
    folder: Path
    tokens: dict[str, str]
    tls: Tls | None = None

    @property
    def token(self) -> str:
        """The attacker's own."""
        return self.tokens["attacker"]

    def client(self, owner: str = "attacker") -> Client:
        """A client of whoever it is, without retries."""
        return Client(self.service.grpc_url, token=self.tokens[owner], retries=0, reencode=False)

    def connection(self) -> Connection:
        """A connection of the attacker's, for tensors as they are."""
        return Connection(self.service.grpc_url, self.token, self.tls)

    def channel(self) -> grpc.Channel:
        """A channel to the gRPC port, with a connection of its own."""
        url = self.service.grpc_url
        return grpc.insecure_channel(url, options=[*channel_options(url), ("grpc.use_local_subchannel_pool", 1)])

    def metadata(self, owner: str = "attacker") -> tuple[tuple[str, str], ...]:
        """What says whose a call is."""
        return metadata_of(self.tokens[owner])

    def http(self, path: str, body: bytes | None, headers: dict[str, str], timeout: float = 20.0) -> tuple[str, bytes]:
        """Status and text of a page; the error's name where there is none."""
        host, port = self.service.http_url.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            return str(answer.status), answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__, b""
        finally:
            connection.close()


@dataclass(frozen=True)
class Outcome:
    """What an attacker got: in words and figures, and whether that is what may be got."""

    found: str
    holds: bool


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: what is done, and what may be got by it.
        run: does it, and ends what it has begun.
        also: what the honest client asks beside its clicks, if anything.
        outage: whether the service may say meanwhile that it is not ready.
    """

    name: str
    run: Callable[[Target], Outcome]
    also: str = ""
    outage: bool = False


def kind_of(ask: Callable[[], object]) -> str:
    """Returns how a call of the client library ended: answered, or the name of its error."""
    try:
        ask()
    except MvsamError as error:
        return type(error).__name__
    return "answered"


def words(statuses: Iterable[str]) -> str:
    """How often each status came, those of gRPC by their names."""
    counted = Counter(STATUSES.get(status, status) for status in statuses)
    return ", ".join(f"{count} {status}" for status, count in counted.most_common(5)) or "nothing"


def status_of(ask: Callable[[], Any]) -> str:
    """How a call of gRPC ended: OK, or its status."""
    try:
        ask()
    except grpc.RpcError as error:
        failed: Any = error
        return failed.code().name
    return "OK"


def strings(*contents: bytes) -> np.ndarray:
    """A tensor of strings."""
    array = np.empty(len(contents), np.object_)
    array[:] = contents
    return array
