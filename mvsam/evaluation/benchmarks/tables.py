"""A table of methods and figures, in Markdown, HTML and LaTeX. What the paper reports itself is marked."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

MARK = "†"
MARKED = "† as the paper reports it, on its machines; not run here."


@dataclass(frozen=True)
class Figure:
    """One cell.

    Attributes:
        value: a share in per cent; nan where there is none.
        is_published: whether it is the paper's.
    """

    value: float
    is_published: bool = False


@dataclass(frozen=True)
class Row:
    """A method or a scene, and its cells."""

    name: str
    cells: Sequence[Figure]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: above it.
        columns: headings; the first is that of the rows' names.
        rows: as many cells each as there are further headings.
        notes: below it, a sentence or more each.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """With a heading of the second level."""
        lines = [f"| {' | '.join(self.columns)} |", f"|{'---|' * len(self.columns)}"]
        lines += [f"| {' | '.join([row.name, *map(_text, row.cells)])} |" for row in self.rows]
        return "\n".join([f"## {self.title}", "", *lines, *(f"\n{note}" for note in self._notes())]) + "\n"

    def html(self) -> str:
        """With a heading of the second level."""

        def row(tag: str, cells: Iterable[str]) -> str:
            return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

        rows = [row("th", self.columns), *(row("td", [each.name, *map(_text, each.cells)]) for each in self.rows)]
        notes = [f"<p>{escape(note)}</p>" for note in self._notes()]
        return "\n".join([f"<h2>{escape(self.title)}</h2>", f"<table>{''.join(rows)}</table>", *notes])

    def latex(self) -> str:
        r"""A `table` with `booktabs` rules; needs \usepackage{booktabs}."""
        body = [" & ".join([_escaped(row.name), *map(_latex, row.cells)]) + r" \\" for row in self.rows]
        notes = [rf"\par\footnotesize {_escaped(note)}" for note in self._notes()]
        return (
            "\n".join(
                [
                    r"\begin{table}",
                    r"\centering",
                    rf"\caption{{{_escaped(self.title)}}}",
                    rf"\begin{{tabular}}{{l{'c' * (len(self.columns) - 1)}}}",
                    r"\toprule",
                    " & ".join(map(_escaped, self.columns)) + r" \\",
                    r"\midrule",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}",
                    *notes,
                    r"\end{table}",
                ]
            )
            + "\n"
        )

    def _notes(self) -> list[str]:
        published = any(cell.is_published for row in self.rows for cell in row.cells)
        return [*self.notes, *([MARKED] if published else [])]


def _text(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    return f"{figure.value:.1f}{MARK if figure.is_published else ''}"


def _latex(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "--"
    return f"{figure.value:.1f}" + (r"$^\dagger$" if figure.is_published else "")


def _escaped(text: str) -> str:
    """LaTeX's own characters, and those of ours that its fonts lack."""
    for plain, written in (
        ("\\", r"\textbackslash{}"),
        ("&", r"\&"),
        ("%", r"\%"),
        ("_", r"\_"),
        ("#", r"\#"),
        ("†", r"$^\dagger$"),
        ("π³", r"$\pi^3$"),
        ("→", r"$\rightarrow$"),
        ("²", r"$^2$"),
        ("–", "--"),
    ):
        text = text.replace(plain, written)
    return text
