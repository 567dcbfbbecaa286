"""A client's own word in an error: recognisable, part of a sentence, and never anything like our insides."""

import pytest

from mvsam.pipeline.errors import quoted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jpeg", "'jpeg'"),
        ("", "''"),
        ("../../etc/passwd", "'??????etc?passwd'"),
        ("naïve words", "'na?ve?words'"),
        ("x" * 41, "'" + "x" * 40 + "…'"),
        ('a\n"File.py"', "'a??File?py?'"),
    ],
)
def test_it_is_told_in_quotes_with_question_marks_for_what_is_no_letter(text: str, told: str):
    assert quoted(text) == told
