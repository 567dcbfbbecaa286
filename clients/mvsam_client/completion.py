"""The command line as shells complete it, read from the parsers themselves."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mvsam_client.command_line import FOLDER


class Kind(Enum):
    """What may follow an option, or stand by itself."""

    NOTHING = "nothing"
    TEXT = "text"  # that no shell can guess
    FILE = "file"
    FOLDER = "folder"
    WORD = "word"  # one of some


@dataclass(frozen=True)
class Value:
    """A value of an option, or a word that stands by itself.

    Attributes:
        kind: of it.
        words: where it is one of some.
    """

    kind: Kind
    words: tuple[str, ...] = ()


NOTHING = Value(Kind.NOTHING)


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        names: with their hyphens.
        help: what it is for.
        value: what follows it.
        may_repeat: whether it can be given again.
    """

    names: tuple[str, ...]
    help: str
    value: Value
    may_repeat: bool


@dataclass(frozen=True)
class Described:
    """One subcommand.

    Attributes:
        name: of it.
        summary: in a few words.
        options: those that begin with a hyphen.
        words: what the others are.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    words: Value = NOTHING


def described(name: str, summary: str, parser: argparse.ArgumentParser) -> Described:
    """A subcommand as its parser knows it."""
    options, words = [], NOTHING
    for action in parser._actions:  # argparse has no other way to them
        if action.option_strings:
            text = (action.help or "") % {**vars(action), "prog": parser.prog} if action.help else ""
            may_repeat = isinstance(action, argparse._AppendAction)
            options.append(Option(tuple(action.option_strings), text, _value(action), may_repeat))
        else:
            words = _value(action)
    return Described(name, summary, tuple(options), words)


def with_words(command: Described, words: Sequence[str]) -> Described:
    """The command, whose words are some that its parser does not know of."""
    return Described(command.name, command.summary, command.options, Value(Kind.WORD, tuple(words)))


def _value(action: argparse.Action) -> Value:
    if action.nargs == 0:
        return NOTHING
    if action.choices:
        return Value(Kind.WORD, tuple(map(str, action.choices)))
    if action.metavar == FOLDER:
        return Value(Kind.FOLDER)
    return Value(Kind.FILE if action.type is Path else Kind.TEXT)
