"""The entry's limits: shares of all tokens and of one, and what a command line may set."""

import argparse

import grpc
import pytest

from server.doorman import ANYBODY, Refused, Token
from server.limits import EntryLimits, Shares, add_limits

ONE, OTHER, THIRD = (Token(name, "") for name in ("one", "other", "third"))


def test_a_token_has_half_and_all_have_no_more_than_there_is():
    shares = Shares(10, "calls are open", "calls")
    shares.take(ONE, 5)
    for token, amount in ((ONE, 1), (OTHER, 6)):
        with pytest.raises(Refused, match="too many calls are open already; try again in a second") as refused:
            shares.take(token, amount)
        assert (refused.value.status, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "calls")
    shares.take(OTHER, 4)
    with pytest.raises(Refused):
        shares.take(THIRD, 2)
    shares.take(THIRD)
    shares.give(ONE, 5)
    shares.take(THIRD, 4)


def test_who_needs_no_token_may_have_all():
    shares = Shares(10, "calls are open", "calls")
    with shares.held(ANYBODY, 10), pytest.raises(Refused):
        shares.take(ANYBODY)
    assert shares.total == 0


def given(*arguments: str) -> EntryLimits:
    parser = argparse.ArgumentParser()
    add_limits(parser)
    return EntryLimits.of(parser.parse_args(arguments))


def test_limits_are_options():
    assert given() == EntryLimits()
    assert given("--max-calls=7", "--max-send-seconds=0.5") == EntryLimits(calls=7, send_seconds=0.5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--max-calls=0"], "--max-calls is 0; give a positive number"),
        (["--max-in-flight-mib=-1"], "--max-in-flight-mib is -1; give"),
        (["--max-send-seconds=nan"], "--max-send-seconds is nan; give"),
        (["--max-message-mib=513"], "--max-message-mib is more than half of --max-in-flight-mib; raise"),
    ],
)
def test_limits_that_would_let_nobody_in_are_refused(arguments: list[str], says: str):
    with pytest.raises(ValueError, match=says):
        given(*arguments)
