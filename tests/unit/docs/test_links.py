"""Every link of the documents that stays in this repository leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "clients", ROOT / "weights" / "demo")
    for path in (*folder.glob("*.md"), *folder.glob("*.html"))
)


def links(text: str) -> list[str]:
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", without_code) + re.findall(r'(?:src|href)="([^"]+)"', without_code)


def anchors(text: str) -> set[str]:
    """Of the headings, as they are made of them on the web."""
    headings = re.findall(r"^#+ +(.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in links(document.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_documents_are_found_and_broken_links_are_seen() -> None:
    assert {ROOT / "README.md", ROOT / "docs" / "evaluation.md"} <= set(DOCUMENTS)
    assert links("[a](x.md#b) `[no](code)` ![p](p.png)") == ["x.md#b", "p.png"]
    assert anchors("# One Two: three\n") == {"one-two-three"}
