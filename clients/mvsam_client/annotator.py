"""What a person builds up on one scene: objects by id, with their clicks, boxes and masks, to be undone and redone."""

import reprlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mvsam_client.errors import InvalidRequestError, UnknownAnswerError
from mvsam_client.joint_answer import by_view, joined
from mvsam_client.object_prompts import ObjectPrompts, elsewhere
from mvsam_client.prompts import Box, Click, MaskPrompt, checked
from mvsam_client.refinement import Answer, Asked, State, refining
from mvsam_client.result import Segmentation, ViewMasks, assembled
from mvsam_client.scene import Scene
from mvsam_client.scene_handle import CLICK_TIMEOUT
from mvsam_client.values import view_number, whole_number
from mvsam_client.vocabulary import Prompts, binary_mask, check


@dataclass(frozen=True, eq=False, repr=False)
class AnnotatedView:
    """The masks of all objects in one view.

    Attributes:
        view: which.
        masks: bool [h, w] by object id, at the upright photograph's own size.
        scores: mean probability inside the mask by object id, 0 where it is empty.
    """

    view: int
    masks: Mapping[int, np.ndarray]
    scores: Mapping[int, float]

    def __repr__(self) -> str:
        return f"AnnotatedView(view={self.view}, object_ids={tuple(self.masks)})"


class Annotator:
    """The prompts on one scene, and the masks that they give.

    An object's id is any whole number; it begins to exist with its first prompt and ends with its last. Objects are
    independent: what becomes of one changes no mask of another. Every change is one step of `undo` and `redo`. A prompt
    that cannot be right (outside its photograph, say) is refused when it is added, so what is held can be sent. Safe to
    share between threads: `segment` and `stream` answer the prompts as they were at the call.

    Prompts name views by number: after `Scene.remove` begin a new annotator.

    Attributes:
        scene: what it is about.
    """

    def __init__(self, scene: Scene, *, refine: bool = False) -> None:
        """Begins without prompts; nothing is sent.

        Args:
            scene: of `Client.encode` or `Client.scene`; it stays open when the annotator goes.
            refine: whether an object's last masks are fed back as mask prompts where prompts were only added to it.
                Masks then depend on the way by which the prompts were reached, and objects are asked for one by one.
                The demo's decoder finds less with it (docs/evaluation.md of the project).

        Raises:
            InvalidRequestError: it is no scene.
        """
        if not callable(getattr(scene, "stream", None)):
            raise InvalidRequestError(f"scene: {reprlib.repr(scene)} is no Scene; give that of Client.encode")
        self.scene = scene
        self._refine = refine
        self._state: State = {}
        self._undone: list[State] = []
        self._done: list[State] = []
        self._answers: Mapping[int, Answer] = {}  # by object id
        self._segmentation: Segmentation | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Annotator({self.scene!r}, object_ids={reprlib.repr(self.object_ids)})"

    @property
    def objects(self) -> Mapping[int, ObjectPrompts]:
        """The prompts by object id, objects in the order of their first prompts; a snapshot."""
        return MappingProxyType(self._state)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Of the objects that have prompts, in the order of their first ones."""
        return tuple(self._state)

    @property
    def clicks(self) -> tuple[Click, ...]:
        """Of all objects."""
        return tuple(click for prompts in self._state.values() for click in prompts.clicks)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Of all objects."""
        return tuple(box for prompts in self._state.values() for box in prompts.boxes)

    @property
    def masks(self) -> tuple[MaskPrompt, ...]:
        """The mask prompts of all objects; the masks that were found are the answer of `segment`."""
        return tuple(mask for prompts in self._state.values() for mask in prompts.masks)

    @property
    def views(self) -> set[int]:
        """Those that hold prompts."""
        return {prompt.view for prompts in self._state.values() for prompt in prompts.all}

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether `redo` has a step to repeat."""
        return bool(self._undone)

    @property
    def segmentation(self) -> Segmentation | None:
        """The last whole answer, perhaps to prompts that have changed since; None before the first.

        Its rows are the objects of its `object_ids`.
        """
        return self._segmentation

    def add_click(self, view: int, x: float, y: float, *, positive: bool = True, object_id: int = 1) -> None:
        """Adds a point on the object, or one on what is not the object.

        Args:
            view: the photograph, counted from 0.
            x: column in pixels of the upright photograph.
            y: row.
            positive: whether the point is on the object.
            object_id: which object; a new id begins a new object.

        Raises:
            InvalidRequestError: the scene has no such view, or the point is outside it.
        """
        (click,) = checked([Click(view, x, y, positive, object_id)], Click, "click")
        check(Prompts(clicks=(click,)), self.scene.sizes)
        self._change_object(click.object, lambda prompts: replace(prompts, clicks=(*prompts.clicks, click)))

    def add_box(self, view: int, x0: float, y0: float, x1: float, y1: float, *, object_id: int = 1) -> None:
        """Sets the rectangle around the object in one view, from its upper left pixel to its lower right one.

        A box that the object has in this view already is replaced.

        Raises:
            InvalidRequestError: the scene has no such view, or the box is empty or reaches outside.
        """
        (box,) = checked([Box(view, x0, y0, x1, y1, object_id)], Box, "box")
        check(Prompts(boxes=(box,)), self.scene.sizes)
        self._change_object(
            box.object, lambda prompts: replace(prompts, boxes=(*elsewhere(prompts.boxes, box.view), box))
        )

    def add_mask(self, view: int, mask: np.ndarray, *, object_id: int = 1) -> None:
        """Sets a rough mask of the object in one view; one that it has there already is replaced.

        Args:
            view: the photograph.
            mask: bool [h, w], or float logits [h, w], positive inside; of the upright photograph's size.
            object_id: which object.

        Raises:
            InvalidRequestError: the scene has no such view, or the mask is of another kind or size or empty.
        """
        (prompt,) = checked([MaskPrompt(view, binary_mask(mask), object_id)], MaskPrompt, "mask")
        check(Prompts(masks=(prompt,)), self.scene.sizes)
        self._change_object(
            prompt.object, lambda prompts: replace(prompts, masks=(*elsewhere(prompts.masks, prompt.view), prompt))
        )

    def remove_click(self, index: int = -1, *, object_id: int = 1) -> None:
        """Takes a click away.

        Args:
            index: its place in `objects[object_id].clicks`; the last one by default.
            object_id: of which object.

        Raises:
            InvalidRequestError: there is no such object or click.
        """

        def without(prompts: ObjectPrompts) -> ObjectPrompts:
            clicks = list(prompts.clicks)
            if not -len(clicks) <= whole_number(index, "index") < len(clicks):
                raise InvalidRequestError(
                    f"index: object {object_id} has {len(clicks)} clicks and none at {index}; see `objects`"
                )
            del clicks[index]
            return replace(prompts, clicks=tuple(clicks))

        self._change_object(object_id, without, known=True)

    def remove_box(self, view: int, *, object_id: int = 1) -> None:
        """Takes the object's box in one view away.

        Raises:
            InvalidRequestError: there is no such object or box.
        """

        def without(prompts: ObjectPrompts) -> ObjectPrompts:
            boxes = elsewhere(prompts.boxes, view_number(view))
            if len(boxes) == len(prompts.boxes):
                raise InvalidRequestError(f"view: object {object_id} has no box in view {view}; see `objects`")
            return replace(prompts, boxes=boxes)

        self._change_object(object_id, without, known=True)

    def remove_mask(self, view: int, *, object_id: int = 1) -> None:
        """Takes the object's mask prompt in one view away.

        Raises:
            InvalidRequestError: there is no such object or mask.
        """

        def without(prompts: ObjectPrompts) -> ObjectPrompts:
            masks = elsewhere(prompts.masks, view_number(view))
            if len(masks) == len(prompts.masks):
                raise InvalidRequestError(f"view: object {object_id} has no mask in view {view}; see `objects`")
            return replace(prompts, masks=masks)

        self._change_object(object_id, without, known=True)

    def remove_object(self, object_id: int) -> None:
        """Takes an object away with all its prompts.

        Raises:
            InvalidRequestError: there is no such object.
        """
        self._change_object(object_id, lambda prompts: ObjectPrompts(), known=True)

    def clear(self) -> None:
        """Takes all prompts away; one step of `undo`, and none where there is nothing."""
        with self._lock:
            if self._state:
                self._become({})

    def undo(self) -> bool:
        """Takes the last change back; whether there was one."""
        with self._lock:
            if not self._done:
                return False
            self._undone.append(self._state)
            self._state = self._done.pop()
            return True

    def redo(self) -> bool:
        """Repeats the change that was taken back last; whether there was one. A new change forgets those."""
        with self._lock:
            if not self._undone:
                return False
            self._done.append(self._state)
            self._state = self._undone.pop()
            return True

    def segment(self, *, timeout: float = CLICK_TIMEOUT) -> dict[int, list[np.ndarray]]:
        """Masks of all objects in all views; scores and areas are in `segmentation` afterwards.

        Args:
            timeout: seconds to wait for the whole answer.

        Returns:
            By object id, one mask a view, bool [h, w] of the upright photograph; empty where there are no prompts.

        Raises:
            InvalidRequestError: an object has negative clicks only.
            MvsamError: as for `Scene.segment`.
        """
        views = sorted(self.stream(timeout=timeout), key=lambda part: part.view)
        return {object_id: [part.masks[object_id] for part in views] for object_id in (views[0].masks if views else ())}

    def stream(self, *, timeout: float = CLICK_TIMEOUT) -> Iterator[AnnotatedView]:
        """As `segment`, view by view as they are ready, prompted views first; to stop listening cancels the rest.

        Raises:
            MvsamError: as for `segment`; wrong prompts at the call, all else while listening.
        """
        with self._lock:
            state, answers = self._state, self._answers
        for object_id, prompts in state.items():
            if not prompts.has_positive:
                raise InvalidRequestError(
                    f"object {object_id} has negative clicks only; add a positive one, a box or a mask, or remove it"
                )
        if not state:
            return iter(())
        if not self._refine:
            return self._stream([Asked(state)], timeout)
        alone = {object_id: {object_id: prompts} for object_id, prompts in state.items()}
        return self._stream([refining(each, answers.get(object_id)) for object_id, each in alone.items()], timeout)

    def _stream(self, requests: Sequence[Asked], timeout: float) -> Iterator[AnnotatedView]:
        ids = tuple(object_id for asked in requests for object_id in asked.state)
        received: list[ViewMasks] = []
        names = [""] * len(requests)
        with ExitStack() as opened:
            answers = [opened.enter_context(closing(self._ask(asked, timeout))) for asked in requests]
            for parts in by_view(answers):
                names = [part.answer or name for part, name in zip(parts, names, strict=True)]
                part = joined(parts)
                received.append(part)
                masks = dict(zip(ids, part.masks, strict=True))
                scores = dict(zip(ids, part.scores.tolist(), strict=True))
                yield AnnotatedView(part.view, masks, scores)
        known = {
            object_id: Answer(asked, name)
            for asked, name in zip(requests, names, strict=True)
            for object_id in asked.state
        }
        with self._lock:
            self._answers = {**self._answers, **known}
            self._segmentation = replace(assembled(received), object_ids=ids)

    def _ask(self, asked: Asked, timeout: float) -> Generator[ViewMasks, None, None]:
        state, previous = asked.state, asked.previous
        rows = {object_id: row for row, object_id in enumerate(state)}
        points = [replace(click, object=rows[click.object]) for each in state.values() for click in each.clicks]
        boxes = [replace(box, object=rows[box.object]) for each in state.values() for box in each.boxes]
        masks = [replace(mask, object=rows[mask.object]) for each in state.values() for mask in each.masks]
        try:
            yield from self.scene.stream(points=points, boxes=boxes, masks=masks, previous=previous, timeout=timeout)
        except UnknownAnswerError:  # refused before anything was answered
            yield from self.scene.stream(points=points, boxes=boxes, masks=masks, timeout=timeout)

    def _change_object(
        self, object_id: int, change: Callable[[ObjectPrompts], ObjectPrompts], *, known: bool = False
    ) -> None:
        """One step: what `change` makes of an object's prompts."""
        object_id = whole_number(object_id, "object_id")
        with self._lock:
            if known and object_id not in self._state:
                raise InvalidRequestError(
                    f"object_id: there is no object {object_id}; those with prompts are {list(self._state)}"
                )
            changed = {**self._state, object_id: change(self._state.get(object_id, ObjectPrompts()))}
            self._become({each: prompts for each, prompts in changed.items() if not prompts.is_empty})

    def _become(self, state: State) -> None:
        self._done.append(self._state)
        self._undone.clear()
        self._state = state
