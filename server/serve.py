"""Serves a model repository in the foreground: `python -m server.serve --repository build/repository/demo`."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path

from mvsam.runtime.artifacts import ArtifactError
from mvsam_client import MvsamError
from server.followed import Followed
from server.identity import Identity, follow_identity
from server.installation import arguments_for
from server.launcher import LaunchError, Tracing, TritonServer
from server.limits import EntryLimits, add_limits
from server.runtime import UnsuitableEnvironmentError
from server.service import Door, Service
from server.tokens import read_tokens

MOST_PORT = 65_535
STOP_WITHIN = 2  # seconds for what has outlasted the drain, and that nobody waits for any more


def main(arguments: list[str] | None = None) -> int:
    """Runs until Ctrl-C, SIGTERM or SIGHUP (exit code 0), or until the service cannot start (1)."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(_serve(options))
    except (ArtifactError, LaunchError, UnsuitableEnvironmentError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MvsamError as error:
        print(f"error: the first request failed: {error}; {options.log} says more", file=sys.stderr)
        return 1
    _say("stopped")
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    for number in (signal.SIGINT, signal.SIGTERM, *([] if nohup else [signal.SIGHUP])):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    began = time.monotonic()
    tracing = Tracing(options.trace_url, options.trace_rate) if options.trace_url else None
    needed = arguments_for(options.triton, options.repository) if options.triton else []
    triton = TritonServer(
        options.repository,
        log=options.log,
        ready_within=options.ready_within,
        stop_within=STOP_WITHIN,
        tracing=tracing,
        installation=options.triton,
        arguments=[*needed, *options.arguments],
    )
    tokens = Followed([options.tokens], lambda: read_tokens(options.tokens)) if options.tokens else None
    door = Door(options.host, options.grpc_port, options.http_port, _identity(options), tokens, EntryLimits.of(options))
    http = "https" if door.identity else "http"

    def started(service: Service) -> None:
        metadata = triton.api.metadata()
        _say(f"{metadata.name} {metadata.version}: {', '.join(triton.api.models())}")
        _say(f"gRPC     {options.host}:{service.grpc_port}{' (TLS)' if door.identity else ''}")
        _say(f"HTTP     {http}://{options.host}:{service.http_port}/v2")
        _say(f"health   {http}://{options.host}:{service.http_port}/v2/health/ready")
        _say(f"metrics  {http}://{options.host}:{service.http_port}/metrics")
        _say(f"ready after {time.monotonic() - began:.1f} s; Ctrl-C stops")

    _say(f"starting {options.repository}, log in {options.log}")
    await Service(triton, door, options.ready_within, options.drain_within).run(started, stop)


def _identity(options: argparse.Namespace) -> Followed[Identity] | None:
    """Of the files that were named.

    Raises:
        ValueError: one without the other, or they do not fit together.
        OSError: they cannot be read.
    """
    if (options.tls_cert is None) != (options.tls_key is None) or (options.tls_client_ca and options.tls_cert is None):
        raise ValueError("--tls-cert and --tls-key go together, and --tls-client-ca with both")
    if options.tls_cert is None:
        return None
    return follow_identity(options.tls_cert, options.tls_key, options.tls_client_ca)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m server.serve", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="assembled model repository")
    parser.add_argument(
        "--triton", type=Path, metavar="DIR", help="an installed Triton (in its container /opt/tritonserver)"
    )
    parser.add_argument("--host", default=Door.host, help="address to listen on (default %(default)s: this machine)")
    parser.add_argument("--grpc-port", type=_port, default=Door.grpc_port, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--http-port",
        type=_port,
        default=Door.http_port,
        metavar="N",
        help="of inference, health and metrics (default %(default)s)",
    )
    parser.add_argument(
        "--tokens",
        type=Path,
        metavar="FILE",
        help="TOML: who may come in, read again when it changes; everybody where absent",
    )
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain, PEM, for both ports")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="private key, PEM")
    parser.add_argument(
        "--tls-client-ca", type=Path, metavar="FILE", help="clients must show a certificate that it signed"
    )
    parser.add_argument(
        "--log", type=Path, default=Path("build/log/triton.log"), help="Triton's log (default %(default)s)"
    )
    parser.add_argument(
        "--trace-url", metavar="URL", help="where traces go, OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces"
    )
    parser.add_argument(
        "--trace-rate",
        type=int,
        default=Tracing.rate,
        metavar="N",
        help="of N requests one is traced, and all that come as part of a trace (default %(default)s)",
    )
    parser.add_argument(
        "--ready-within",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="for loading the models, and again for the first request (default %(default)g)",
    )
    parser.add_argument(
        "--drain-within",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="that requests inside get at the end (default %(default)g; the rest takes up to 4 s)",
    )
    add_limits(parser)
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="-- ARGUMENT",
        help="more for tritonserver, such as --pinned-memory-pool-byte-size=0",
    )
    options = parser.parse_args(arguments)
    if options.grpc_port == options.http_port != 0:
        parser.error(f"--grpc-port and --http-port are both {options.grpc_port}; choose two ports")
    return options


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 1 to {MOST_PORT}, or 0 for any")
    return int(text)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
