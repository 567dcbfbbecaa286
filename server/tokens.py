"""The file of those who may come in: anything in it that is not understood is an error, and closes the door."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from server.doorman import Token

NAMES = [field.name for field in fields(Token)]
OF_NOTHING = hashlib.sha256(b"").hexdigest()
HEXADECIMAL = frozenset("0123456789abcdef")
MOST_A_MINUTE, MOST_AT_ONCE = 1_000_000, 10_000


def read_tokens(path: Path) -> list[Token]:
    """Returns the tokens of a TOML file with a table `[[token]]` for each, at least one.

    Raises:
        ValueError: it is no such file, or cannot be read; the message names the entry, never a digest.
    """
    try:
        found = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"--tokens {path} cannot be read ({error.strerror}); name a file of tokens") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: no text in UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: no list of tokens ({error}); write [[token]] with name and sha256") from None
    for key in found.keys() - {"token"}:
        raise ValueError(f"{path}: {key!r} is not known; write [[token]], with its settings below it")
    entries = found.get("token")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path}: no list of tokens; write [[token]] with name and sha256")
    if not entries:
        raise ValueError(f"{path}: no token, so that nobody may come in; write [[token]] with name and sha256")
    tokens = [_token(entry, f"{path}: token {place}") for place, entry in enumerate(entries, 1)]
    for what in ("name", "sha256"):
        if len({getattr(token, what) for token in tokens}) < len(tokens):
            raise ValueError(f"{path}: two tokens share a {what}; give each its own")
    return tokens


def _token(entry: Mapping[str, Any], where: str) -> Token:
    """Returns the token of one table.

    Raises:
        ValueError: the table is wrong.
    """
    for key in entry.keys() - set(NAMES):
        raise ValueError(f"{where}: {key!r} is not known; it takes {', '.join(NAMES)}")
    for key in ("name", "sha256"):
        if not isinstance(entry.get(key), str):
            raise ValueError(f"{where} needs {key} as text, in quotes")
    name, sha256 = entry["name"], entry["sha256"].lower()
    where += f" ({name!r})"
    if not name.isprintable() or not name.strip():
        raise ValueError(f"{where} needs a name that can be printed")
    if len(sha256) != 64 or not set(sha256) <= HEXADECIMAL:
        raise ValueError(f"{where} has no sha256 of 64 hexadecimal digits: sha256sum makes one")
    if sha256 == OF_NOTHING:
        raise ValueError(f"{where} has the sha256 of an empty token; make one of the token itself")
    for key, most in (("requests_per_minute", MOST_A_MINUTE), ("at_once", MOST_AT_ONCE)):
        value = entry.get(key, getattr(Token, key))
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"{where} needs {key} as a whole number from 1 to {most}")
    return Token(**{**entry, "sha256": sha256})
