"""The `mvsam` command: `segment` is here, other distributions bring further subcommands.

A distribution adds one by an entry point of the group `mvsam.commands`: its name is the subcommand, its object a
function from the remaining arguments to the exit code.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from mvsam_client import segment_command

GROUP = "mvsam.commands"
# Subcommands of the project's main distribution, to be named where it is not installed.
KNOWN = {
    "serve": "start an inference server",
    "export": "write the networks as ONNX graphs",
    "train": "train the mask decoder",
    "evaluate": "run the benchmarks",
}
Command = Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the subcommand that the first argument names.

    Returns:
        The exit code: 0 done, 1 the server failed, 2 the request is wrong.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name == "segment":
        return segment_command.main(rest)
    for entry in entry_points(group=GROUP, name=name):
        command: Command = entry.load()
        return command(rest)
    if name in KNOWN:
        print(f"mvsam {name}: install the distribution `mvsam`, which brings this command", file=sys.stderr)
    else:
        print(f"mvsam: there is no command {name!r}\n{_usage()}", file=sys.stderr)
    return 2


def _usage() -> str:
    lines = ["usage: mvsam COMMAND …", "", "  segment    photographs and clicks in, masks out"]
    installed = {entry.name for entry in entry_points(group=GROUP)}
    for name in sorted(installed | KNOWN.keys()):
        origin = "" if name in installed else " (install the distribution `mvsam`)"
        lines.append(f"  {name:<10} {KNOWN.get(name, 'an added command')}{origin}")
    return "\n".join([*lines, "", "mvsam COMMAND --help says more."])
