"""The documents and what is fenced off in them."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a document."""

    document: str
    language: str  # "" where none is given
    text: str

    @property
    def name(self) -> str:
        return f"{self.document}: {self.language or 'plain'}: {self.text.strip().splitlines()[0]}"


def documents() -> dict[str, str]:
    """Text by path in the repository."""
    folders = (ROOT, ROOT / "clients", ROOT / "docs", ROOT / "weights" / "demo")
    paths = sorted(path for folder in folders for path in folder.glob("*.md"))
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


def fenced(document: str, text: str) -> list[Block]:
    """In order, without the indentation that they have in lists."""
    return [Block(document, language, textwrap.dedent(block)) for _, language, block in FENCED.findall(text)]


def without_fenced(text: str) -> str:
    """What is left of a document."""
    return FENCED.sub("", text)
