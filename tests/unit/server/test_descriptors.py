"""As many connections as there are descriptors for."""

import asyncio
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from server.descriptors import PLENTY, RESERVE, within_descriptors
from server.launcher import TritonServer
from server.limits import EntryLimits
from server.service import Door, Service

LIMITS = EntryLimits(connections=1000)


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised"),
    [
        (1024, 4096, 1000, 4096),
        (1024, resource.RLIM_INFINITY, 1000, PLENTY),
        (1024, 1024, (1024 - RESERVE) // 2, None),
        (PLENTY, 2 * PLENTY, 1000, None),
        (64, 64, 1, None),
    ],
)
def test_the_limit_is_raised_or_fewer_connections_are_taken(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, connections: int, raised: int | None
):
    told: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: told.append(limits[0]))
    assert within_descriptors(LIMITS).connections == connections
    assert told == ([] if raised is None else [raised])


def test_the_service_takes_no_more_connections_than_fit(monkeypatch: pytest.MonkeyPatch):
    def given(limits: EntryLimits) -> list[tuple[str, int]]:
        told.append(limits.connections)
        return []

    async def make() -> None:
        Service(TritonServer(Path(__file__).parents[3] / "model_repository"), Door(limits=LIMITS))

    told: list[int] = []
    monkeypatch.setattr("server.service.within_descriptors", lambda limits: replace(limits, connections=7))
    monkeypatch.setattr("server.service.options", given)
    asyncio.run(make())
    assert told == [7]
