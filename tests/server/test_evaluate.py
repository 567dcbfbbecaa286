"""The evaluation through the server, on two scenes."""

from pathlib import Path

from server.evaluate import evaluate


def test_figures_are_of_every_way_to_ask(demo_repository: Path) -> None:
    result = evaluate(demo_repository, scenes=2, fitted_to=2)
    assert result["weights"]["pi3"] == {"source": "seeded random", "trained": False}
    ways = {"exact geometry, ten_and_two", "exact geometry, one"}
    assert set(result["figures"]) == ways, "untrained π³ is left out"
    for figures in result["figures"].values():
        assert figures["scenes"] == 2
        assert 0 <= figures["lower quartile"] <= figures["median"] <= figures["upper quartile"] <= 1
    assert set(result["baselines"]) == ways
    for baselines in result["baselines"].values():
        chosen, bound = baselines["distance threshold"], baselines["distance threshold chosen on these very scenes"]
        assert chosen["scenes"] == 2
        assert 0 < chosen["mean IoU, unprompted views"] <= bound["mean IoU, unprompted views"]
        assert {"mean mask", "nearest prompt point"} < set(baselines)
