"""Values as callers give them, checked one by one and returned as the plain types that the package computes with."""

import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mvsam_client.errors import InvalidRequestError

Kind = TypeVar("Kind")
_VIEWS = 2**31  # the wire has them as INT32


def whole_number(value: Any, name: str) -> int:
    """Returns a whole number of any size; true and false are none.

    Args:
        value: what was given.
        name: how the error calls it.

    Raises:
        InvalidRequestError: it is of another type.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidRequestError(f"{name}: {reprlib.repr(value)} is no whole number; give one such as 0 or 7")
    return int(value)


def view_number(value: Any, name: str = "view") -> int:
    """Returns the number of a view, which may still be negative or too large for the scene.

    Raises:
        InvalidRequestError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not -_VIEWS <= value < _VIEWS:
        raise InvalidRequestError(f"{name}: {reprlib.repr(value)} is no view; views are whole numbers from 0")
    return int(value)


def coordinate(value: Any, name: str) -> float:
    """Returns a number of pixels, which may be infinite or NaN.

    Raises:
        InvalidRequestError: it is no real number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidRequestError(f"{name} is {reprlib.repr(value)}; give a number of pixels")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def instance(value: Any, kind: type[Kind], name: str, remedy: str) -> Kind:
    """Returns a value of a class of this package.

    Args:
        value: what was given.
        kind: the class.
        name: how the error calls it.
        remedy: what to give.

    Raises:
        InvalidRequestError: it is of another class.
    """
    if not isinstance(value, kind):
        raise InvalidRequestError(f"{name}: {reprlib.repr(value)} is no {kind.__name__}; {remedy}")
    return value


def sequence_of(values: Any, kind: type[Kind], name: str) -> tuple[Kind, ...]:
    """Returns a list's elements, all of one class.

    Raises:
        InvalidRequestError: it is no list, or an element is of another class.
    """
    remedy = f"give a list of {kind.__name__}"
    return tuple(instance(value, kind, name, remedy) for value in elements(values, name, remedy))


def elements(values: Any, name: str, remedy: str) -> list[Any]:
    """Returns the elements of a list, a tuple, an array or whatever can be gone through, but of no text.

    Raises:
        InvalidRequestError: it cannot.
    """
    try:
        return list(None if isinstance(values, str | bytes | Mapping) else values)  # pyright: ignore[reportArgumentType]
    except TypeError:
        raise InvalidRequestError(f"{name}: {reprlib.repr(values)} is no list; {remedy}") from None


def numbers(values: Any, kind: type, name: str) -> np.ndarray:
    """Returns an array of numbers.

    Args:
        values: an array, or lists.
        kind: NumPy's type of its elements.
        name: how the error calls it.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        with np.errstate(over="ignore"):
            return np.asarray(values, kind)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequestError(f"{name}: this is no array of numbers ({error}); give a NumPy array") from None


def file_path(value: Any, name: str) -> Path:
    """Returns a path.

    Raises:
        InvalidRequestError: it is none.
    """
    if not isinstance(value, str | os.PathLike) or "\0" in os.fspath(value):
        raise InvalidRequestError(f"{name}: {reprlib.repr(value)} is no path of a file; give a text or a Path")
    return Path(value)
