"""A server's HTTP port, named where its gRPC port is meant."""

from dataclasses import replace

import grpc

from mvsam_client.doctor.findings import Finding, problem
from mvsam_client.doctor.machine import Machine
from mvsam_client.doctor.probe import Probe, has_health
from mvsam_client.doctor.programs import listener, ports_of
from mvsam_client.errors import InvalidRequestError

USUAL = 8001


def http_port_named(machine: Machine) -> Finding | None:
    """Returns what is to be said where the address is that of a server's health and metrics; else None."""
    port = machine.address.port
    host = machine.address.url.rpartition(":")[0]
    if port is None or not has_health(machine.address, port):
        return None
    found = _grpc_port(machine, host, port)
    if found is None:
        remedy = f"name the server's gRPC port with --url {host}:N; it is {USUAL} where nothing else was said"
    else:
        remedy = f"name the server's gRPC port: --url {host}:{found}"
    return problem(
        f"port {port} of {host} is the HTTP port of a server, which tells its health there, and not its gRPC port",
        "Photographs and clicks go to the gRPC port; the server itself may be well.",
        remedy,
    )


def _grpc_port(machine: Machine, host: str, port: int) -> int | None:
    """The first port that answers gRPC: the usual one, or another of the same program on this machine."""
    candidates = {USUAL}
    if machine.address.is_here and (holder := listener(port, machine.processes)):
        candidates.update(ports_of(holder, machine.processes))
    for candidate in sorted(candidates - {port}, key=lambda each: (each != USUAL, each)):
        try:
            with Probe(replace(machine.address, url=f"{host}:{candidate}")) as probe:
                probe.is_live()
                return candidate
        except (grpc.RpcError, InvalidRequestError):
            continue
    return None
