"""Whether a server answers, serves what this client talks to, and does its work."""

import io
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
from PIL import Image

from mvsam_client.doctor.contract import ENSEMBLE, POINTMAP, SCENE, differences
from mvsam_client.doctor.encryption import encryption_missed
from mvsam_client.doctor.findings import Finding, ok, problem, warning
from mvsam_client.doctor.machine import Machine
from mvsam_client.doctor.probe import WITHIN, Probe, has_health
from mvsam_client.doctor.programs import listener
from mvsam_client.doctor.wrong_port import http_port_named
from mvsam_client.errors import DeadlineExceededError, InvalidRequestError, MvsamError
from mvsam_client.prompts import Click

START = "start one with `make serve`, or name another's gRPC endpoint with --url HOST:PORT"
LOG = "look at the server's log (`make serve` writes build/log/triton.log), then start it anew"
WIDTH, HEIGHT = 96, 64


def examine(machine: Machine) -> Iterator[Finding]:
    """From the first sign of life to a request; ends where nothing further could be right."""
    url = machine.address.url
    if machine.address.port is None or "://" in url:
        yield problem(
            f"{url} is no address of a gRPC endpoint",
            "Nothing can be asked.",
            "write HOST:PORT, such as 127.0.0.1:8001",
        )
        return
    try:
        with Probe(machine.address) as probe:
            yield from _examined(machine, probe)
    except InvalidRequestError as error:
        yield problem(str(error), "The encrypted connection cannot be made.", "name files that exist and fit together")
    except grpc.RpcError as error:
        yield _unanswered(machine, error)


def _examined(machine: Machine, probe: Probe) -> Iterator[Finding]:
    url = machine.address.url
    if not probe.is_live():
        yield problem(f"the server at {url} says that it is not live", "It takes no requests.", LOG)
        return
    yield ok(f"{url} answers")
    if not probe.is_ready():
        yield problem(
            f"the server at {url} is live but not ready",
            "It is starting, or has lost a process and loads it anew; requests get UNAVAILABLE until then.",
            f"wait a minute; if it stays so, {LOG}",
        )
        return
    yield ok(f"it is ready ({probe.identity()})")
    served = [model for model in (SCENE, ENSEMBLE, POINTMAP) if probe.has(model)]
    yield from _models(url, served)
    if SCENE not in served:
        return
    found = [line for model in served for line in differences(model, *probe.tensors(model))]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield problem(
            f"client and server are of different versions: {'; '.join(found[:3])}{more}",
            "Requests that need these tensors fail.",
            "update the older of the two: the server with `git pull` and `make serve`, the client with "
            "`pip install ./clients` in the server's version of the project",
        )
        return
    yield ok("client and server agree on every tensor")
    yield _request(machine)


def _models(url: str, served: list[str]) -> Iterator[Finding]:
    if SCENE not in served:
        what = f"only {', '.join(served)}" if served else "none of this project's models"
        yield problem(
            f"the server at {url} serves {what}: there is no {SCENE}",
            "It is another Triton, or its repository is incomplete; scenes cannot be encoded.",
            "name the right server with --url, or assemble the repository with `make repository` and start it anew",
        )
    elif ENSEMBLE not in served:
        yield warning(
            f"it serves {', '.join(served)}, but not {ENSEMBLE}",
            "With DECODER=projection that is so: `mvsam segment` of photographs fails, while scenes work.",
            "use `mvsam encode` and then `mvsam segment --scene ID`, or serve the trained decoder",
        )
    else:
        yield ok(f"it serves {', '.join(served)}")


def _request(machine: Machine) -> Finding:
    """Two generated photographs and a click, as a scene that is closed again."""
    photographs, timeout = [_photograph(seed) for seed in range(2)], machine.address.timeout
    try:
        with machine.address.client(retries=0) as client:
            began = time.perf_counter()
            with client.encode(photographs, timeout=timeout) as scene:
                encoded = time.perf_counter()
                scene.segment(points=[Click(0, WIDTH / 2, HEIGHT / 2)], timeout=timeout)
                clicked = time.perf_counter()
    except DeadlineExceededError:
        return problem(
            f"two small photographs were not encoded and segmented within {timeout:g} s",
            "The server hangs, or is slow: large presets take minutes on a CPU.",
            f"allow more with --timeout SECONDS; if that does not help, {LOG}",
        )
    except MvsamError as error:
        return problem(f"a small request failed: {error}", "The server is up but does not do its work.", LOG)
    return ok(
        f"two small photographs were encoded in {encoded - began:.2f} s, a click on them answered in "
        f"{clicked - encoded:.2f} s"
    )


def _photograph(seed: int) -> bytes:
    """A PNG of noise, so that nothing in it is degenerate."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def _unanswered(machine: Machine, error: grpc.RpcError) -> Finding:
    status: Any = error
    # gRPC's own account is long, and its last word tells most.
    url, said = machine.address.url, (status.details() or status.code().name).rpartition(": ")[2]
    match status.code():
        case grpc.StatusCode.UNAUTHENTICATED:
            return problem(
                f"the server at {url} asks for a token, and this is none that it knows",
                "Every request is refused.",
                "give the token with --token-file FILE, or in the environment as MVSAM_TOKEN",
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return problem(
                f"{url} does not answer within {WITHIN:g} s",
                "Something holds the connection and says nothing: a server that hangs, or a firewall.",
                f"on its machine {LOG}; from elsewhere, see that the port is let through",
            )
        case grpc.StatusCode.UNAVAILABLE:
            return _unavailable(machine, said)
    return problem(
        f"what answers at {url} is no inference server ({status.code().name}: {said})",
        "It speaks gRPC, but not KServe's.",
        f"stop it or leave it be, and {START}",
    )


def _unavailable(machine: Machine, said: str) -> Finding:
    if (wrong := http_port_named(machine)) is not None:
        return wrong
    url = machine.address.url
    port = machine.address.port
    if port is not None and (missed := encryption_missed(machine, port)) is not None:
        return missed
    holder = listener(port, machine.processes) if machine.address.is_here and port else None
    if holder is None and machine.address.is_here and has_health(machine.address, machine.http_port):
        return problem(
            f"a server is starting: its health answers on port {machine.http_port}, and {url} does not yet",
            "It loads its models, which takes seconds with the demo and minutes with large presets.",
            f"wait until `make serve` says that it is ready; if it never does, {LOG}",
        )
    if holder is None:
        if machine.address.is_here and (missed := encryption_missed(machine, machine.http_port)) is not None:
            return missed
        return problem(f"no server answers at {url} ({said})", "Nothing can be segmented.", START)
    return problem(
        f"port {port} belongs to {holder}, which does not speak gRPC as this client does",
        "It is another program, or a server that asks for a client's certificate, or one without TLS.",
        "of an MV-SAM server name the gRPC port (8001 where nothing else was said), and give --tls-cert and --tls-key, "
        "or leave --tls and --tls-ca out, as it has it; else stop that program, or serve elsewhere: make serve "
        "GRPC_PORT=N and mvsam --url 127.0.0.1:N",
    )
