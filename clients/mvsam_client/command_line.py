"""What the subcommands of `mvsam` share: exit codes, a parser, and errors told in a sentence."""

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from io import TextIOWrapper
from typing import Any, NoReturn

from mvsam_client.command_words import worded
from mvsam_client.errors import InvalidRequestError, MvsamError, UnauthenticatedError
from mvsam_client.terminal import shown

DEBUG = "MVSAM_DEBUG"  # set in the environment, it lets tracebacks through
FOLDER = "DIR"  # the metavar by which shell completion knows a folder


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 done; 1 it failed (the server, the disk, the output, a package that is missing; of `doctor`: a "
    "problem was found); 2 the request or the command line is wrong; 130 interrupted."
)


class CommandError(Exception):
    """A command cannot go on; the message says why and what to do."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


class _Lines(argparse.HelpFormatter):
    """Wraps what is too long, and leaves indented lines as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(line if line.startswith(" ") else fill(line, width, indent) for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    """A parser that ends its help with the exit codes and knows what a mistyped option was meant to be."""

    def __init__(self, program: str, description: str | None, epilog: str = EXIT_CODES) -> None:
        super().__init__(program, description=description, epilog=epilog, formatter_class=_Lines)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # pyright: ignore
        """As argparse's own."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [name for action in self._actions for name in action.option_strings]
            self.error(f"there is no option {unknown[0]}{suggestion(unknown[0], known)}")
        return found

    def print_help(self, file: Any = None) -> None:
        """On standard output, where argparse's own would keep silent about one that cannot be written."""
        say(self.format_help().rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        """One line, and where to read more; exit code 2."""
        self.exit(Exit.USAGE, f"{self.prog}: {shown(message)}\n{self.prog} --help says more\n")


def suggestion(word: str, known: Sequence[str]) -> str:
    """The known word that is likely meant, as the end of a sentence; empty where there is none."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def guarded(name: str, command: Callable[[], int]) -> int:
    """Runs a command; what it raises becomes a sentence on standard error and an exit code.

    Args:
        name: of the command, in front of the sentence.
        command: returns its own exit code.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: no console knows every letter
    try:
        try:
            return command()
        finally:
            if sys.stdout is not None:  # as it is where it was closed from the start
                with _writing():
                    sys.stdout.flush()
    except InvalidRequestError as error:
        return _fail(name, worded(str(error)), Exit.USAGE)
    except UnauthenticatedError:
        remedy = "give the token with --token-file FILE, or in the environment as MVSAM_TOKEN"
        return _fail(name, f"the server lets nobody in without a token that it knows; {remedy}", Exit.FAILED)
    except MvsamError as error:
        return _fail(name, worded(str(error)), Exit.FAILED)
    except CommandError as error:
        return _fail(name, error, error.code)
    except KeyboardInterrupt:
        return _fail(name, "interrupted", Exit.INTERRUPTED)
    except BrokenPipeError:
        return Exit.FAILED  # the reader of our output has left, as `head` does
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        return _fail(name, reason, Exit.FAILED)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        reason = f"{type(error).__name__}: {error}; this is a defect of the program, please report it"
        return _fail(name, f"{reason} ({DEBUG}=1 shows where)", Exit.FAILED)


def say(text: str) -> None:
    """Prints on standard output, at once.

    Raises:
        CommandError: it cannot be written.
        BrokenPipeError: nobody reads it.
    """
    with _writing():
        print(text, flush=True)


@contextmanager
def _writing() -> Iterator[None]:
    """Where standard output cannot be written, the interpreter must not stumble over it once more at its end."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(
            f"standard output cannot be written ({error.strerror}); make room, or write elsewhere"
        ) from None


def print_json(content: Any) -> None:
    """Prints one JSON document on standard output, in ASCII, which every console takes."""
    say(json.dumps(content, indent=2))


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def seconds(text: str) -> float:
    """A number of seconds above 0; `inf` is without end."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write a number of seconds above 0, or inf")
    return value


def count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write a whole one above 0")
    return int(text)


def _fail(name: str, reason: object, code: Exit) -> int:
    print(f"{shown(name)}: {shown(reason)}", file=sys.stderr)
    return code
