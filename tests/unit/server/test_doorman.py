"""Who is let in, how often and how many at a time."""

import hashlib
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from server.doorman import ANYBODY, Doorman, Refused, Token, read_tokens

SECRET = "correct horse"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
STUDIO = Token("studio", DIGEST, requests_per_minute=60, at_once=2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def doorman(*tokens: Token, at_once: int = 9, clock: Clock | None = None) -> Doorman:
    return Doorman(list(tokens), {"mvsam": at_once}, clock or Clock())


def test_without_tokens_everybody_is_let_in():
    assert doorman().identified([]) is ANYBODY


@pytest.mark.parametrize("given", [[], [("authorization", SECRET)], [("authorization", "Bearer wrong")], None])
def test_with_tokens_only_those_who_have_one(given):
    door = doorman(STUDIO)
    assert door.identified([("authorization", f"Bearer {SECRET}")]) is STUDIO
    with pytest.raises(Refused, match="no valid token; send the metadata") as refused:
        door.identified(given)
    assert refused.value.status is grpc.StatusCode.UNAUTHENTICATED


def test_only_public_models_are_for_clients():
    with (
        pytest.raises(Refused, match="there is no model 'pi3'; use mvsam") as refused,
        doorman().admitted(ANYBODY, "pi3"),
    ):
        pass
    assert refused.value.status is grpc.StatusCode.NOT_FOUND


def test_places_are_counted_by_model_and_by_token():
    door = doorman(STUDIO, at_once=6)
    with door.admitted(STUDIO, "mvsam"), door.admitted(STUDIO, "mvsam"):
        with pytest.raises(Refused, match="2 requests are being served") as quota, door.admitted(STUDIO, "mvsam"):
            pass
        with ExitStack() as others:
            for _ in range(4):
                others.enter_context(door.admitted(ANYBODY, "mvsam"))
            assert door.inside == {"mvsam": 6}
            with pytest.raises(Refused, match="6 requests are being served") as busy, door.admitted(ANYBODY, "mvsam"):
                pass
    assert (quota.value.reason, busy.value.reason) == ("quota", "busy")
    assert quota.value.status is busy.value.status is grpc.StatusCode.UNAVAILABLE
    assert door.inside == {"mvsam": 0}


def test_a_token_has_half_of_a_models_places():
    greedy, other = Token("greedy", "a" * 64, at_once=32), Token("other", "b" * 64, at_once=32)
    door = doorman(greedy, other, at_once=4)
    with door.admitted(greedy, "mvsam"), door.admitted(greedy, "mvsam"):
        with pytest.raises(Refused, match="2 requests are being served") as refused, door.admitted(greedy, "mvsam"):
            pass
        assert refused.value.reason == "share"
        with door.admitted(other, "mvsam"), door.admitted(other, "mvsam"):
            assert door.inside == {"mvsam": 4}


def test_a_failed_request_gives_its_place_back():
    door = doorman(at_once=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), door.admitted(ANYBODY, "mvsam"):
            _ = 1 / 0
    assert door.inside == {"mvsam": 0}


def test_a_tokens_requests_are_rationed():
    clock = Clock()
    door = doorman(STUDIO, clock=clock)

    def ask() -> None:
        door.spend(STUDIO)

    for _ in range(60):
        ask()
    with pytest.raises(Refused, match="more than 60 requests a minute; try again in 1 s"):
        ask()
    clock.now = 1.5
    ask()
    with pytest.raises(Refused):
        ask()


def test_tokens_are_read_from_a_file_that_holds_digests_only(tmp_path: Path):
    path = tmp_path / "tokens.toml"
    text = f'[[token]]\nname = "studio"\nsha256 = "{DIGEST}"\nrequests_per_minute = 60\nat_once = 2\n'
    for encoding in ("utf-8", "utf-8-sig"):  # Windows' editors begin with a byte order mark
        path.write_text(text, encoding=encoding)
        assert read_tokens(path) == [STUDIO]
    path.write_text(text.replace("studio", "Büro"), encoding="utf-8")
    assert [token.name for token in read_tokens(path)] == ["Büro"]
    path.write_text(text, encoding="utf-16")
    with pytest.raises(ValueError, match=r"tokens.toml: no text in UTF-8; save it as UTF-8"):
        read_tokens(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("token = 3", "no list of tokens"),
        ("[[token", "no list of tokens"),
        ('[[token]]\nname = "a"', r"no list of tokens .*sha256"),
        (f'[[token]]\nname = "a"\nsha256 = "{SECRET}"', "'a' has no sha256 of 64"),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\nat_once = 0', "at least 1"),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\n' * 2, "two tokens share a name"),
        ('[[token]]\nname = "a"\nsha256 = 7', "needs name and sha256 as text"),
        (f'[[token]]\nname = ["a"]\nsha256 = "{DIGEST}"', "needs name and sha256 as text"),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\nat_once = "9"', "as whole numbers"),
        (f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\nrequests_per_minute = inf', "as whole numbers"),
    ],
)
def test_a_wrong_file_of_tokens_is_refused(tmp_path: Path, text: str, says: str):
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as refused:
        read_tokens(path)
    assert SECRET not in str(refused.value) and DIGEST not in str(refused.value)
