"""What the trial of load makes of the times that its clients saw."""

import pytest

from server.trials.load import Seen, longest_beside_an_encode


@pytest.mark.parametrize(
    ("click", "share"),
    [
        ((0.2, 0.5), 0.3),  # in the first's turn
        ((0.9, 2.0), 1.1),  # waits for the second, though all three took longer with their waiting
        ((2.1, 2.3), 0.4),  # in the third's turn, which is the shortest
        ((4.0, 9.0), 0.0),  # beside none
    ],
)
def test_clicks_are_held_against_encodes_from_their_turn_on(click: tuple[float, float], share: float) -> None:
    encodes = [(0.0, 2.0), (0.0, 1.0), (0.0, 2.5)]
    assert longest_beside_an_encode(Seen(clicks=[click], encodes=encodes)) == pytest.approx(share)
