"""Text of others (files' names, a server's words) as a terminal may be given it."""

import unicodedata

_UNFIT = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's categories: control, format, surrogates, ends of lines


def shown(text: object) -> str:
    """Returns a text on one line, what could move the cursor or turn the line around written as its number."""
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _UNFIT else each for each in str(text)
    )
