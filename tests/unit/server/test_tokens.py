"""Files of tokens: what is not understood closes the door, and what has changed is read again."""

import hashlib
import logging
from pathlib import Path

import pytest

from server.doorman import Token
from server.followed import Followed
from server.tokens import read_tokens

SECRET = "correct horse"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
NOTHING = hashlib.sha256(b"").hexdigest()
STUDIO = Token("studio", DIGEST, requests_per_minute=60, at_once=2)
TEXT = f'[[token]]\nname = "studio"\nsha256 = "{DIGEST}"\nrequests_per_minute = 60\nat_once = 2\n'
SHORT = f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def test_tokens_are_read_from_a_file_that_holds_digests_only(path: Path):
    for encoding in ("utf-8", "utf-8-sig"):  # Windows' editors begin with a byte order mark
        path.write_text(TEXT, encoding=encoding)
        assert read_tokens(path) == [STUDIO]
    path.write_text(TEXT.replace(DIGEST, DIGEST.upper()))
    assert read_tokens(path) == [STUDIO]
    path.write_text(TEXT.replace("studio", "Büro"), encoding="utf-8")
    assert [token.name for token in read_tokens(path)] == ["Büro"]
    path.write_text(TEXT, encoding="utf-16")
    with pytest.raises(ValueError, match=r"tokens.toml: no text in UTF-8; save it as UTF-8"):
        read_tokens(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no list of tokens"),
        ("token = []", "no token, so that nobody may come in"),
        ("token = 3", "no list of tokens"),
        ('token = "a"', "no list of tokens"),
        ("token = [3]", "no list of tokens"),
        ("[token]", "no list of tokens"),
        ("[[token", "no list of tokens"),
        (f"{SHORT}\n[[tokens]]", "'tokens' is not known; write \\[\\[token\\]\\]"),
        ('[[token]]\nname = "a"', "token 1 needs sha256 as text"),
        (f"{SHORT}\nrequests_per_hour = 1", "'requests_per_hour' is not known; it takes name, sha256, requests_per"),
        (f'[[token]]\nname = "a"\nsha256 = "{SECRET}"', "'a'\\) has no sha256 of 64"),
        (f'[[token]]\nname = "a"\nsha256 = "{NOTHING}"', "sha256 of an empty token"),
        (f'[[token]]\nname = " "\nsha256 = "{DIGEST}"', "a name that can be printed"),
        (f'[[token]]\nname = "a\\n"\nsha256 = "{DIGEST}"', "a name that can be printed"),
        (f"{SHORT}\nat_once = 0", "at_once as a whole number from 1"),
        (f"{SHORT}\n" * 2, "two tokens share a name"),
        (SHORT + SHORT.replace('name = "a"', '\nname = "b"').join(["\n", ""]), "two tokens share a sha256"),
        ('[[token]]\nname = "a"\nsha256 = 7', "needs sha256 as text"),
        (f'[[token]]\nname = ["a"]\nsha256 = "{DIGEST}"', "needs name as text"),
        (f'{SHORT}\nat_once = "9"', "at_once as a whole number"),
        (f"{SHORT}\nat_once = true", "at_once as a whole number"),
        (f"{SHORT}\nrequests_per_minute = inf", "requests_per_minute as a whole number"),
        (f"{SHORT}\nrequests_per_minute = nan", "requests_per_minute as a whole number"),
        (f"{SHORT}\nrequests_per_minute = 1{'0' * 400}", "requests_per_minute as a whole number"),
    ],
)
def test_a_wrong_file_of_tokens_is_refused(path: Path, text: str, says: str):
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as refused:
        read_tokens(path)
    assert SECRET not in str(refused.value) and DIGEST not in str(refused.value)


def test_a_changed_file_is_read_again_and_a_broken_one_is_not(path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    path.write_text(TEXT)
    followed = Followed([path], lambda: read_tokens(path))
    assert not followed.look()
    path.write_text(TEXT.replace("studio", "atelier"))
    assert followed.look() and [token.name for token in followed.value] == ["atelier"]
    for spoil in (lambda: path.write_text("token = []"), path.unlink):
        spoil()
        caplog.clear()
        assert not followed.look() and [token.name for token in followed.value] == ["atelier"]
        (line,) = caplog.messages
        assert "tokens.toml" in line and "what was read before it changed stays in force" in line
        assert not followed.look(), "told once"
    path.write_text(TEXT)
    assert followed.look() and followed.value == [STUDIO]
    assert caplog.messages[-1].endswith("tokens.toml: read again")


def test_a_file_that_is_replaced_by_another_of_the_same_size_is_read_again(path: Path):
    """As Kubernetes does it: a link to another folder."""
    for name in ("one", "two"):
        (path.parent / name).write_text(TEXT.replace("studio", f"stud{name[0]}{name[1]}"))
    path.symlink_to("one")
    followed = Followed([path], lambda: read_tokens(path))
    path.unlink()
    path.symlink_to("two")
    assert followed.look() and followed.value[0].name == "studtw"
