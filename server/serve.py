"""Serves a model repository in the foreground: `python -m server.serve --repository build/repository/demo`."""

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tritonclient.utils import InferenceServerException

from server.launcher import LaunchError, Ports, TritonServer
from server.runtime import UnsuitableEnvironmentError
from server.warmup import warm_up


class Stopped(BaseException):
    """The user (Ctrl-C) or the system (SIGTERM) asks for the end; no error, so nothing may catch it as one."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until Ctrl-C or SIGTERM (exit code 0), or until the server fails (1)."""
    options = _parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    server = TritonServer(
        options.repository,
        ports=Ports(options.http_port, options.grpc_port, options.metrics_port),
        log=options.log,
        ready_within=options.ready_within,
    )
    try:
        _say(f"starting {options.repository}, log in {options.log}")
        with server:
            _serve(server, options)
    except Stopped:
        _say("stopped")
        return 0
    except (LaunchError, UnsuitableEnvironmentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _serve(server: TritonServer, options: argparse.Namespace) -> NoReturn:
    """Warms the server up, says where it is, and stays until it is stopped or fails."""
    started = time.monotonic()
    try:
        warm_up(server.grpc_url, timeout=options.ready_within)
    except InferenceServerException as error:
        raise LaunchError(
            f"the first request failed: {error.message()}; the end of the log:\n{server.log_tail()}"
        ) from None
    metadata = server.metadata()
    _say(f"{metadata['name']} {metadata['version']}: {', '.join(server.models())}")
    _say(f"gRPC     {server.grpc_url}")
    _say(f"HTTP     http://{server.http_url}")
    _say(f"metrics  {server.metrics_url}")
    _say(f"ready (first request: {time.monotonic() - started:.1f} s); Ctrl-C stops")
    while not server.has_exited():
        time.sleep(0.2)
    raise LaunchError(f"Triton ended by itself; the end of its log:\n{server.log_tail()}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m server.serve", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="assembled model repository")
    for endpoint, port in vars(Ports()).items():
        parser.add_argument(f"--{endpoint}-port", type=int, default=port, metavar="N", help=f"default {port}")
    parser.add_argument(
        "--log", type=Path, default=Path("build/log/triton.log"), help="Triton's log (default %(default)s)"
    )
    parser.add_argument(
        "--ready-within",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="for loading the models, and again for the first request (default %(default)g)",
    )
    return parser.parse_args(arguments)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
