"""Memory of a call is what it takes at most, with what its owner has kept since earlier calls."""

import torch

from mvsam.evaluation.speed.memory import MemoryMeter

MEGABYTE = 1 << 20
SIZE = 96 * MEGABYTE
SLACK = 16 * MEGABYTE


class Arena:
    """Grows when it has to, and gives nothing back."""

    def __init__(self) -> None:
        self.blocks: list[torch.Tensor] = []

    def grow(self, size: int) -> None:
        self.blocks.append(torch.ones(size, dtype=torch.uint8))


def digest(_result: object) -> None:
    pass


def test_peak_of_a_call_that_gives_all_back() -> None:
    _, memory = MemoryMeter(torch.device("cpu")).measure(lambda: torch.ones(SIZE // 4).sum(), [], digest)
    assert abs(memory - SIZE) < SLACK


def test_what_an_arena_took_for_an_earlier_case_counts_for_the_next() -> None:
    meter, arena = MemoryMeter(torch.device("cpu")), Arena()
    _, first = meter.measure(lambda: arena.grow(SIZE), [arena], digest)
    _, second = meter.measure(lambda: arena.grow(SIZE // 2), [arena], digest)
    _, other = meter.measure(lambda: None, [Arena()], digest)
    assert abs(first - SIZE) < SLACK
    assert abs(second - 1.5 * SIZE) < SLACK
    assert other < SLACK


def test_the_result_is_digested_and_is_not_counted_as_kept() -> None:
    meter, owner = MemoryMeter(torch.device("cpu")), Arena()
    total, _ = meter.measure(lambda: torch.ones(SIZE // 4), [owner], lambda x: int(x.sum()))
    assert total == SIZE // 4
    _, memory = meter.measure(lambda: None, [owner], digest)
    assert memory < SLACK
