"""Ratios are of the best of each, and a fast wrong answer wins nothing."""

import pytest

from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.speed.measuring import Measured
from mvsam.evaluation.speed.ratios import ratios
from tests.unit.evaluation.speed.made_results import WRONG, result

ORT = "ONNX Runtime CPU"


def value(results: list[Measured], *words: str) -> float:
    (found,) = (each.value for each in ratios(results) if all(word in each.question for word in words))
    return found


def test_against_the_best_eager_setting() -> None:
    results = [
        result(Task.CLICK, 20, [4.0], setting="1 thread"),
        result(Task.CLICK, 20, [3.0], setting="2 threads"),
        result(Task.CLICK, 20, [1.5], ORT, setting="2 threads"),
        result(Task.CLICK, 20, [2.0], ORT, setting="1 thread"),
        result(Task.CLICK, 20, [0.1], ORT, WRONG, setting="wrong"),
    ]
    assert value(results, ORT, "eager") == pytest.approx(3.0 / 1.5)


def test_against_sam2_video_with_and_without_encoding() -> None:
    results = [
        result(Task.CLICK, 20, [2.0], ORT),
        result(Task.CLICK, 20, [4.0]),
        result(Task.PROPAGATION, 20, [12.0], agreement=None, setting="1 thread"),
        result(Task.PROPAGATION, 20, [10.0], agreement=None, setting="2 threads"),
        result(Task.ENCODED_PROPAGATION, 20, [60.0], agreement=None),
    ]
    assert value(results, "cached") == pytest.approx(5.0)
    assert value(results, "encodes its frames") == pytest.approx(30.0)


def test_scene_encoding_is_on_our_side_where_theirs_encodes() -> None:
    scene = result(Task.SCENE, 20, [18.0])
    scene = Measured(type(scene.case)(Task.SCENE, 20), scene.way, scene.seconds, scene.flops, scene.memory, None)
    results = [
        result(Task.CLICK, 20, [2.0]),
        scene,
        result(Task.ENCODED_PROPAGATION, 20, [60.0], agreement=None),
    ]
    assert value(results, "scene encoding") == pytest.approx(3.0)


def test_growth_is_each_runtimes_own() -> None:
    results = [
        result(Task.CLICK, 20, [1.0]),
        result(Task.CLICK, 100, [6.0]),
        result(Task.CLICK, 20, [0.5], ORT),
        result(Task.CLICK, 100, [2.4], ORT),
    ]
    assert value(results, ORT, "100 views over 20") == pytest.approx(4.8)
    assert value(results, "PyTorch eager: 100 views over 20") == pytest.approx(6.0)


def test_a_video_of_another_length_is_not_compared() -> None:
    results = [result(Task.CLICK, 8, [2.0]), result(Task.PROPAGATION, 20, [12.0], agreement=None)]
    assert ratios(results) == []
