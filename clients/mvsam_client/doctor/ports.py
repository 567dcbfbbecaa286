"""Whether the server's ports are the server's, or free for it."""

from collections.abc import Iterator

import grpc

from mvsam_client.doctor.encryption import encryption_missed
from mvsam_client.doctor.findings import Finding, ok, problem
from mvsam_client.doctor.machine import Machine
from mvsam_client.doctor.probe import Probe, has_health
from mvsam_client.doctor.programs import is_taken, listener
from mvsam_client.doctor.wrong_port import http_port_named
from mvsam_client.errors import InvalidRequestError


def examine(machine: Machine) -> Iterator[Finding]:
    """Those of gRPC, and of health and metrics."""
    port = machine.address.port
    if not machine.address.is_here or port is None:
        yield ok(f"the server at {machine.address.url} is not on this machine, so its ports are not either")
        return
    is_served = _answers_grpc(machine)
    for number, variable, use, is_ours in (
        (port, "GRPC_PORT", "gRPC", is_served),
        (machine.http_port, "HTTP_PORT", "health and metrics", has_health(machine.address, machine.http_port)),
    ):
        if not is_taken(number):
            yield ok(f"port {number} ({use}) is free")
            continue
        holder = listener(number, machine.processes)
        name = holder or "a program of another user, or in another container"
        if is_ours:
            yield ok(f"port {number} ({use}) is the server's: {name}")
        elif number == port and (wrong := http_port_named(machine)) is not None:
            yield wrong
        elif (missed := encryption_missed(machine, number)) is not None:
            yield missed
        elif is_served:
            yield ok(f"port {number} belongs to {name}; the server that runs has its {use} elsewhere")
        else:
            stop = f"stop that program (kill {holder.pid})" if holder else "stop that program"
            yield problem(
                f"port {number}, meant for {use}, is taken by {name}",
                "`make serve` cannot listen there.",
                f"{stop}, or choose another port: make serve {variable}=N",
            )


def _answers_grpc(machine: Machine) -> bool:
    try:
        with Probe(machine.address) as probe:
            return probe.is_live()
    except (grpc.RpcError, InvalidRequestError):
        return False
