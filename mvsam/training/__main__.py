"""`python -m mvsam.training decoder | geometry | hold-out | install`: train networks, keep what came of it."""

import argparse
import logging
import os
import sys
from pathlib import Path

from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import PRESETS, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.training import decoder_command, geometry_command, hold_out
from mvsam.training.install import install

logger = logging.getLogger(__name__)


def _install(arguments: argparse.Namespace) -> None:
    for path in install(arguments.run, preset_named(arguments.preset), arguments.weights_directory):
        logger.info("installed %s", path)


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand."""
    parser = argparse.ArgumentParser(prog="python -m mvsam.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    again = "; run again to go on after an interruption"
    decoder = commands.add_parser("decoder", help="train the mask decoder" + again)
    decoder_command.add_options(decoder)
    decoder.set_defaults(run_command=decoder_command.run)
    geometry = commands.add_parser("geometry", help="train a small π³" + again)
    geometry_command.add_options(geometry)
    geometry.set_defaults(run_command=geometry_command.run)
    held = commands.add_parser("hold-out", help="set photographs in SA-1B's format aside, in blocks of neighbours")
    hold_out.add_options(held)
    held.set_defaults(run_command=hold_out.run)
    installed = commands.add_parser("install", help="a run's averaged weights to where networks are loaded from")
    installed.add_argument("--run", type=Path, required=True)
    installed.set_defaults(run_command=_install)
    for command in (decoder, geometry, installed):
        command.add_argument("--preset", default="demo", choices=list(PRESETS))
        command.add_argument("--weights-directory", type=Path, default=Path("weights"))
    chosen = parser.parse_args(arguments)
    use_available_cores()
    first = os.environ.get("RANK", "0") == "0"  # as torchrun numbers processes
    logging.basicConfig(level=logging.INFO if first else logging.WARNING, format="%(message)s")
    try:
        chosen.run_command(chosen)
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
