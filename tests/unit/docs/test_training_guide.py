"""The training guide's tables hold what the recipes say."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from mvsam.training.config import Precision
from mvsam.training.recipes import DECODER_RECIPES, GEOMETRY_RECIPE
from tests.unit.docs.documents import ROOT

TEXT = (ROOT / "docs" / "training.md").read_text()


def values(recipe: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a recipe, by its path."""
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if is_dataclass(value):
            yield from values(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(written, value))
    if isinstance(value, Enum):
        return value.name if isinstance(value, Precision) else str(value.value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def rows(heading: str) -> dict[str, list[str]]:
    """Of the table with that heading."""
    table = TEXT[TEXT.index(heading) :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {re.sub("`", "", name): others for name, *others in cells}


def test_decoder_recipes_are_those_of_the_code() -> None:
    recipes = [dict(values(recipe)) for recipe in DECODER_RECIPES.values()]
    expected = {path: [written(recipe[path]) for recipe in recipes] for path in recipes[0]}
    assert rows(f"| value | {' | '.join(f'`{name}`' for name in DECODER_RECIPES)} |") == expected


def test_geometry_recipe_is_that_of_the_code() -> None:
    expected = {path: [written(value)] for path, value in values(GEOMETRY_RECIPE)}
    assert rows("| value | `geometry` |") == expected
