"""Answers kept to be refined: bounded, true to their scene, and mask prompts where none is given."""

import gc
from typing import Any

import numpy as np
import pytest

from mvsam.pipeline.errors import RequestError
from mvsam.scenes.answers import Answers, new_id

OBJECTS, VIEWS, SIDE = 2, 3, 4


class Anything:
    """That can be referred to weakly."""


def a_scene() -> Any:
    return Anything()


def logits(value: float = 0, views: int = VIEWS) -> np.ndarray:
    found = np.full((OBJECTS, views, SIDE, SIDE), value, np.float32)
    found += np.arange(views, dtype=np.float32)[:, None, None]
    return found


def keep(answers: Answers, scene: Any, value: float = 0, owner: str = "") -> str:
    name, whole = new_id(), logits(value)
    answers.keep(name, scene, [(slice(1, 3), whole[:, 1:]), (slice(0, 1), whole[:, :1])], owner)
    return name


def test_who_has_most_answers_loses_the_oldest_of_them():
    scene = a_scene()
    answers = Answers(3 * logits().nbytes)
    honest = keep(answers, scene, 7, "honest")
    for value in range(5):
        keep(answers, scene, value, "greedy")
    assert np.array_equal(answers.find(honest, scene, OBJECTS), logits(7))


def test_parts_are_put_in_order():
    scene, answers = a_scene(), Answers(10**6)
    assert np.array_equal(answers.find(keep(answers, scene, 5), scene, OBJECTS), logits(5))


def test_the_oldest_go_and_what_is_too_large_is_not_kept():
    scene, size = a_scene(), logits().nbytes
    answers = Answers(2 * size)
    first, second, third = (keep(answers, scene, k) for k in range(3))
    assert np.array_equal(answers.find(second, scene, OBJECTS), logits(1))
    assert np.array_equal(answers.find(third, scene, OBJECTS), logits(2))
    with pytest.raises(RequestError, match="not kept any more"):
        answers.find(first, scene, OBJECTS)
    small = Answers(size - 1)
    with pytest.raises(RequestError, match="leave it out"):
        small.find(keep(small, scene), scene, OBJECTS)


def test_answers_go_with_their_scene():
    scene, other = a_scene(), a_scene()
    answers = Answers(10**6)
    keep(answers, scene)
    kept = keep(answers, other)
    assert answers.bytes == 2 * logits().nbytes
    del scene
    gc.collect()
    assert answers.bytes == logits().nbytes
    assert np.array_equal(answers.find(kept, other, OBJECTS), logits())


def test_an_answer_is_of_one_scene_and_its_objects():
    scene, answers = a_scene(), Answers(10**6)
    name = keep(answers, scene)
    with pytest.raises(RequestError, match="this scene as it is now"):
        answers.find(name, a_scene(), OBJECTS)
    with pytest.raises(RequestError, match="has 2 objects, the prompts have 3"):
        answers.find(name, scene, 3)
