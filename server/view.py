"""`make view`: a page in the browser on which to click, and a server of its own."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mvsam.synthetic.scene import make_scene
from mvsam_client import Client, MvsamError
from mvsam_client.command_line import CommandError
from mvsam_client.given import add_photographs, given
from mvsam_client.images import Photograph, encode_image
from mvsam_client.terminal import shown
from mvsam_client.view_command import add_page, opened, stay
from mvsam_client.viewer import check_installed
from server.demo import SEED
from server.launcher import LaunchError, TritonServer
from server.runtime import UnsuitableEnvironmentError
from server.warmup import warm_up

VIEWS = 8
READY_WITHIN = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until Ctrl-C or SIGTERM (exit code 0), or until something fails (1)."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, which background jobs ignore
    try:
        check_installed()
        photographs = _photographs(options)
        print(f"starting {options.repository}, log in {options.log}", flush=True)
        with TritonServer(options.repository, log=options.log, ready_within=READY_WITHIN) as server:
            warm_up(server.grpc_url, timeout=READY_WITHIN)
            with Client(server.grpc_url) as client, opened(client, photographs, options.host, options.port) as page:
                stay(page)
    except (MvsamError, CommandError) as error:
        print(f"error: {shown(error)}", file=sys.stderr)
        return 1
    except (LaunchError, UnsuitableEnvironmentError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _photographs(options: argparse.Namespace) -> list[Photograph]:
    """Those of a person; the demo scene's where none are named."""
    if options.photographs:
        return given(options.photographs, options.frames)
    images = make_scene(SEED, views=VIEWS).images
    return [Photograph(f"view_{view}.png", encode_image(image)) for view, image in enumerate(images)]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m server.view", description=f"{__doc__} Without photographs: the demo scene."
    )
    add_photographs(parser, nargs="*")
    parser.add_argument("--repository", type=Path, required=True, help="assembled model repository")
    parser.add_argument(
        "--log", type=Path, default=Path("build/log/view.log"), help="Triton's log (default %(default)s)"
    )
    add_page(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
