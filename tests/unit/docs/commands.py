"""Commands of the documents, read by the parsers of the programs that they start; nothing is run."""

import argparse
import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from functools import cache
from unittest.mock import patch

from mvsam_client.cli import main as client
from mvsam_client.command_line import Parser as ClientParser
from tests.unit.docs.documents import ROOT

CLIENT_MODULE = "mvsam_client.cli"
OWN = ("mvsam", "server", "export", "calibration", "mvsam_client")  # packages whose programs are parsed
COPIES, INSTALLS, BOARD, LAUNCHER, CLIENT = "cp", "pip", "tensorboard", "torchrun", "mvsam"


class RefusedError(Exception):
    """A program does not take a command line; the message is its parser's."""


class _Parsed(BaseException):
    """A program has read its command line; no handler of its own must catch this."""


def check_line(line: str) -> dict[str, object]:
    """A line of shell: every program in it takes its options.

    Returns:
        The options that were read, by name.

    Raises:
        RefusedError: one does not, or there is no rule for it.
    """
    found: dict[str, object] = {}
    words = shlex.split(line, comments=True)
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        if end:
            found |= _check(tuple(words[:end]))
        words = words[end + 1 :]
    return found


@cache
def _check(words: tuple[str, ...]) -> dict[str, object]:
    program, arguments = words[0].removeprefix(".venv/bin/"), list(words[1:])
    if program == "make":
        return _make(arguments)
    if program == LAUNCHER:
        from torch.distributed.run import get_args_parser

        chosen = get_args_parser().parse_args(arguments)
        if not chosen.module:
            raise RefusedError(f"{shlex.join(words)} starts no module: give -m")
        return vars(chosen) | program_options(chosen.training_script, chosen.training_script_args)
    if program == "python" and arguments[:1] == ["-m"]:
        return program_options(arguments[1], arguments[2:])
    if program == CLIENT:
        return program_options(CLIENT_MODULE, arguments)
    if program == INSTALLS and arguments[:2] == ["install", "-e"]:
        _check_extras(arguments[2])
    elif program == BOARD:
        if arguments[:1] != ["--logdir"] or len(arguments) != 2:
            raise RefusedError(f"{shlex.join(words)}: only --logdir is known here")
    elif program != COPIES or not (ROOT / arguments[-2]).exists():
        raise RefusedError(f"nothing checks {shlex.join(words)}")
    return {}


def _make(arguments: list[str]) -> dict[str, object]:
    """What `make` would run of ours must be understood by what it runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    dry = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    if dry.returncode:
        raise RefusedError(f"make {shlex.join(arguments)}: {dry.stderr.strip()}")
    found: dict[str, object] = {}
    for line in dry.stdout.replace("\\\n", " ").splitlines():
        if started := re.search(r"\.venv/bin/python -m (\S+)(.*)", line):
            found |= program_options(started[1], shlex.split(started[2]))
    return found


def program_options(module: str, arguments: list[str]) -> dict[str, object]:
    """The options that `python -m MODULE ARGUMENTS`, or the command `mvsam`, reads.

    Raises:
        RefusedError: its parser refuses them, or it reads none.
    """
    if module.split(".")[0] not in OWN:
        return {}
    if module == "server.benchmark":  # the repository comes first, the rest is another program's
        return program_options("mvsam.evaluation.benchmarks", arguments[1:])
    read: list[argparse.Namespace] = []
    refusals: list[str] = []

    def reading(parse: Callable[..., argparse.Namespace]) -> Callable[..., None]:
        def parse_only(*given: object) -> None:
            read.append(parse(*given))
            raise _Parsed

        return parse_only

    def refuse(parser: argparse.ArgumentParser, message: str) -> None:
        refusals.append(f"{parser.prog} {shlex.join(arguments)}: {message}")
        raise _Parsed

    with contextlib.ExitStack() as changed:
        for kind in (argparse.ArgumentParser, ClientParser):
            changed.enter_context(patch.object(kind, "parse_args", reading(kind.parse_args)))
            changed.enter_context(patch.object(kind, "error", refuse))
        changed.enter_context(patch.object(sys, "argv", [module, *arguments]))
        changed.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # that a module is imported already
        changed.enter_context(contextlib.redirect_stdout(io.StringIO()))
        try:
            if module == CLIENT_MODULE:
                client(arguments)
            else:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
        except _Parsed:
            pass
        except SystemExit as ended:
            if ended.code == 0 and "--help" in arguments:
                return {}
    if refusals or not read:
        raise RefusedError(refusals[0] if refusals else f"{module} {shlex.join(arguments)} reads no options")
    return vars(read[0])


def _check_extras(requirement: str) -> None:
    """`.[a,b]`: the extras are there."""
    name, _, extras = requirement.rstrip("]").partition("[")
    project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
    unknown = set(filter(None, extras.split(","))) - project["optional-dependencies"].keys()
    if unknown:
        raise RefusedError(f"{requirement}: no extra {', '.join(sorted(unknown))}")
