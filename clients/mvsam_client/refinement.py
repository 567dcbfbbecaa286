"""Chooses what a scene is asked about some objects: all of it anew, or a refinement of the last answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from mvsam_client.object_prompts import ObjectPrompts

State = Mapping[int, ObjectPrompts]  # by object id, in the order in which objects appeared; never changed in place


@dataclass(frozen=True, eq=False)
class Asked:
    """One request.

    Attributes:
        state: the prompts of some objects.
        previous: name of the former answer about the same ones that it refines, if any.
    """

    state: State
    previous: str = ""


@dataclass(frozen=True, eq=False)
class Answer:
    """The last whole answer about an object.

    Attributes:
        asked: the request.
        name: of the answer, on the server.
    """

    asked: Asked
    name: str


def refining(state: State, former: Answer | None) -> Asked:
    """Returns the request about one object, given the last answer about it.

    The same prompts again repeat the same request; where some were only added, the answer is refined.
    """
    if former is None:
        return Asked(state)
    ((object_id, prompts),) = state.items()
    before = former.asked.state[object_id]
    if prompts is before:
        return former.asked
    return Asked(state, former.name if prompts.begins_with(before) else "")
