"""Who is let in, how often and how many at a time."""

import hashlib
from contextlib import ExitStack

import grpc
import pytest

from server.doorman import ANYBODY, Doorman, Refused, Token

SECRET = "correct horse"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
STUDIO = Token("studio", DIGEST, requests_per_minute=60, at_once=2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def doorman(*tokens: Token, at_once: int = 9, clock: Clock | None = None) -> Doorman:
    return Doorman(list(tokens) or None, {"mvsam": at_once}, clock or Clock())


def test_without_tokens_everybody_is_let_in():
    assert doorman().identified([]) is ANYBODY


@pytest.mark.parametrize("given", [[], [("authorization", SECRET)], [("authorization", "Bearer wrong")], None])
def test_with_tokens_only_those_who_have_one(given):
    door = doorman(STUDIO)
    assert door.identified([("authorization", f"Bearer {SECRET}")]) is STUDIO
    with pytest.raises(Refused, match="no valid token; send the metadata") as refused:
        door.identified(given)
    assert refused.value.status is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("given", [f"bearer {SECRET}", f"BEARER {SECRET}", f"Bearer  {SECRET}"])
def test_the_scheme_is_read_as_the_standard_has_it(given: str):
    assert doorman(STUDIO).identified([("authorization", given)]) is STUDIO


@pytest.mark.parametrize("given", [f"Basic {SECRET}", f"Bearer{SECRET}", "Bearer", "Bearer ", "", "Bearer \ud8ff"])
def test_another_scheme_or_no_token_is_refused(given: str):
    with pytest.raises(Refused, match="no valid token"):
        doorman(STUDIO).identified([("authorization", given)])


def test_a_door_without_tokens_is_open_only_to_who_left_them_out():
    with pytest.raises(Refused, match="no valid token"):
        Doorman([]).identified([])


def test_replaced_tokens_count_at_once_and_keep_their_quota():
    door = doorman(Token("studio", DIGEST, requests_per_minute=1))
    authorization = [("authorization", f"Bearer {SECRET}")]
    door.spend(door.identified(authorization))
    door.replace_tokens([Token("studio", DIGEST, requests_per_minute=1)])
    with pytest.raises(Refused, match="1 requests a minute"):
        door.spend(door.identified(authorization))
    door.replace_tokens([Token("other", "0" * 64)])
    with pytest.raises(Refused, match="no valid token"):
        door.identified(authorization)


def test_a_token_that_is_withdrawn_while_its_stream_is_open_is_not_let_in():
    door = doorman(STUDIO)
    token = door.identified([("authorization", f"Bearer {SECRET}")])
    door.replace_tokens([Token("other", "0" * 64)])
    with pytest.raises(Refused, match="no valid token") as refused, door.admitted(token, "mvsam"):
        pass
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
