"""The `mvsam` command: its own subcommands, and those that other distributions bring.

A distribution adds one by an entry point of the group `mvsam.commands`: its name is the subcommand, its object a
function from the remaining arguments to the exit code.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from mvsam_client.command_line import EXIT_CODES, CommandError, Exit, guarded, say, suggestion

GROUP = "mvsam.commands"
Command = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Own:
    """A subcommand of this package.

    Attributes:
        module: that holds it, with `main`, from arguments to exit code, and `parser`, without arguments.
        summary: in a few words.
    """

    module: str
    summary: str


@dataclass(frozen=True)
class Brought:
    """A subcommand that another distribution is known to bring."""

    summary: str
    install: str


OWN: Mapping[str, Own] = {
    "segment": Own("segment_command", "photographs and clicks in, masks and pictures out"),
    "encode": Own("encode_command", "photographs to a scene that the server keeps, to be clicked on"),
    "view": Own("view_command", "a page in the browser: click in photographs or on the point cloud"),
    "bench": Own("bench_command", "how fast a running server encodes and answers clicks"),
    "doctor": Own("doctor_command", "what is wrong with the server or this machine, and what to do"),
    "completion": Own("completion_command", "a script that completes these commands in bash, zsh or fish"),
}
BROUGHT: Mapping[str, Brought] = {
    "evaluate": Brought("methods on a data set, to tables", "make setup (or pip install -e '.[networks,train,cpu]')"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the subcommand that the first argument names.

    Returns:
        The exit code; see `command_line.Exit`.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        return guarded("mvsam", lambda: _say(usage()))
    if name == "--version":
        return guarded("mvsam", lambda: _say(f"mvsam-client {version('mvsam-client')}"))
    return guarded(f"mvsam {name}" if name in OWN or name in BROUGHT else "mvsam", lambda: _found(name)(rest))


def usage() -> str:
    """The commands, a line each."""
    brought = {entry.name: entry for entry in entry_points(group=GROUP)}
    lines = [f"  {name:<12}{own.summary}" for name, own in OWN.items()]
    for name in sorted(brought.keys() | BROUGHT.keys()):
        summary = BROUGHT[name].summary if name in BROUGHT else f"of the distribution {_origin(brought[name])}"
        lines.append(f"  {name:<12}{summary}{'' if name in brought else ' (install the distribution `mvsam`)'}")
    head = ["usage: mvsam COMMAND …", ""]
    return "\n".join([*head, *lines, "", "mvsam COMMAND --help says more.", EXIT_CODES])


def own_module(name: str) -> Any:
    """The module of a subcommand of this package.

    Raises:
        CommandError: what it needs is not installed.
    """
    module = f"mvsam_client.{OWN[name].module}"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = "the newest mvsam-client" if error.name == module else f"the package {error.name}"
        raise CommandError(f"this needs {missing}, which is not installed") from None


def _found(name: str) -> Command:
    if name in OWN:
        return own_module(name).main
    for entry in entry_points(group=GROUP, name=name):
        return _loaded(entry)
    if name in BROUGHT:
        remedy = f"in the project's folder: {BROUGHT[name].install}"
        raise CommandError(f"the distribution `mvsam` brings this command; install it {remedy}")
    known = [*OWN, *BROUGHT, *(entry.name for entry in entry_points(group=GROUP))]
    hint = suggestion(name, known) or f"; there are {', '.join(sorted(set(known)))}"
    raise CommandError(f"there is no command {name!r}{hint}", Exit.USAGE)


def _loaded(entry: EntryPoint) -> Command:
    try:
        return entry.load()
    except ImportError as error:
        missing = f"the package {error.name} is not installed" if error.name else str(error)
        known = BROUGHT.get(entry.name)
        remedy = f"; in the project's folder: {known.install}" if known else ""
        raise CommandError(f"{missing}{remedy}") from None


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "another"


def _say(text: str) -> int:
    say(text)
    return Exit.DONE
