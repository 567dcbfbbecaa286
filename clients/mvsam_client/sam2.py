"""MV-SAM in the shape of SAM2's video predictor: tools that were written for it switch by changing an import.

    from mvsam_client.sam2 import build

    predictor = build("127.0.0.1:8001")
    state = predictor.init_state("photos")
    predictor.add_new_points_or_box(state, frame_idx=0, obj_id=1, points=[[320, 200]], labels=[1])
    for frame_idx, obj_ids, mask_logits in predictor.propagate_in_video(state):
        mask = (mask_logits[0] > 0.0).cpu().numpy()

Frames are photographs of a static scene here, in any order: each prompt reaches all of them at once, and nothing is
tracked from one to the next. Mask logits are +10 inside the mask and -10 outside.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mvsam_client.client import Client
from mvsam_client.errors import InvalidRequestError
from mvsam_client.object_prompts import ObjectPrompts, elsewhere
from mvsam_client.sam2_state import InferenceState, Logits, checked_state
from mvsam_client.sources import Source
from mvsam_client.values import instance, whole_number
from mvsam_client.vocabulary import Prompts, as_array, binary_mask, check, gather
from mvsam_client.whole_request import DEFAULT_TIMEOUT, DEFAULT_URL

__all__ = ["InferenceState", "Logits", "SAM2VideoPredictor", "build"]


class SAM2VideoPredictor:
    """The methods of `sam2.sam2_video_predictor.SAM2VideoPredictor` over an MV-SAM server; a context manager.

    Args:
        client: of the server; it is closed with the predictor.
    """

    def __init__(self, client: Client) -> None:
        self._client = instance(client, Client, "client", "give a Client, or call build(url)")

    def __enter__(self) -> "SAM2VideoPredictor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def init_state(
        self,
        video_path: Source,
        offload_video_to_cpu: bool = False,
        offload_state_to_cpu: bool = False,
        async_loading_frames: bool = False,
        *,
        frames: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> InferenceState:
        """Encodes the scene.

        Args:
            video_path: photographs, as `photographs` takes them: a folder, a list, a video.
            offload_video_to_cpu: of no meaning here, as the two that follow: the server keeps everything.
            offload_state_to_cpu: likewise.
            async_loading_frames: likewise.
            frames: how many at most, at even distances: 16 of a video, all of anything else. Frame numbers count those.
            timeout: seconds.

        Raises:
            MvsamError: as for `Client.encode`.
        """
        return InferenceState(self._client.encode(video_path, frames=frames, timeout=timeout))

    def add_new_points_or_box(
        self,
        inference_state: InferenceState,
        frame_idx: int,
        obj_id: int,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        clear_old_points: bool = True,
        normalize_coords: bool = True,
        box: ArrayLike | None = None,
    ) -> tuple[int, list[int], Logits]:
        """Adds clicks or a box to a frame.

        Args:
            inference_state: of `init_state`.
            frame_idx: which frame.
            obj_id: which object; a new id begins a new one.
            points: [k, 2], x and y in pixels.
            labels: [k], 1 on the object and 0 on what is not.
            clear_old_points: whether they replace what the object has in this frame.
            normalize_coords: whether coordinates are pixels; else they are parts of the frame's sides, in [0, 1].
            box: (x0, y0, x1, y1).

        Returns:
            The frame, the objects' ids, and their masks in this frame, [O, 1, h, w].

        Raises:
            InvalidRequestError: neither points nor a box, or one that cannot be; the prompts stay as they were.
            MvsamError: as for `Scene.segment`.
        """
        if (points is None) != (labels is None):
            raise InvalidRequestError("points and labels: one is missing; give both, one label a point")
        if points is None and box is None:
            raise InvalidRequestError("points and box: there is neither; give at least one of them")
        if box is not None and not clear_old_points:
            raise InvalidRequestError("box: it comes before any point; leave clear_old_points=True")
        frame_idx, obj_id = checked_state(inference_state).frame(frame_idx), whole_number(obj_id, "obj_id")
        height, width = inference_state.sizes[frame_idx]
        given = gather(lambda: None, points=() if points is None else points, labels=labels, view=frame_idx, box=box)
        if not normalize_coords:
            given = _stretched(given, float(width), float(height))
        check(given, inference_state.sizes)
        annotator = inference_state.annotator
        held = annotator.objects.get(obj_id, ObjectPrompts())
        held = held.outside(frame_idx) if clear_old_points else replace(held, masks=elsewhere(held.masks, frame_idx))
        if not (held.has_positive or ObjectPrompts(given.clicks, given.boxes).has_positive):
            raise InvalidRequestError(
                f"labels: object {obj_id} would have negative clicks only; add a positive one or a box with them"
            )
        inference_state.forget(frame_idx, obj_id, points=clear_old_points)
        for each in given.boxes:
            annotator.add_box(frame_idx, each.x0, each.y0, each.x1, each.y1, object_id=obj_id)
        for each in given.clicks:
            annotator.add_click(frame_idx, each.x, each.y, positive=each.positive, object_id=obj_id)
        return self._changed(inference_state, frame_idx, obj_id)

    def add_new_points(self, *args: Any, **kwargs: Any) -> tuple[int, list[int], Logits]:
        """The former name of `add_new_points_or_box`."""
        return self.add_new_points_or_box(*args, **kwargs)

    def add_new_mask(
        self, inference_state: InferenceState, frame_idx: int, obj_id: int, mask: ArrayLike
    ) -> tuple[int, list[int], Logits]:
        """Sets a rough mask in a frame, in place of all that the object has there.

        Args:
            inference_state: of `init_state`.
            frame_idx: which frame.
            obj_id: which object; a new id begins a new one.
            mask: [h, w] of any size, which is stretched over the frame: bool, a label array (whatever is not 0 is
                inside), or float logits (positive inside); a tensor of PyTorch too.

        Returns:
            As `add_new_points_or_box`.

        Raises:
            MvsamError: as for `add_new_points_or_box`.
        """
        frame_idx, obj_id = checked_state(inference_state).frame(frame_idx), whole_number(obj_id, "obj_id")
        height, width = inference_state.sizes[frame_idx]
        given = as_array(mask, "mask")
        inside = binary_mask(given != 0 if given.dtype.kind in "iu" else given)
        rows, columns = (
            np.arange(side) * have // side for side, have in zip((height, width), inside.shape, strict=True)
        )
        inference_state.forget(frame_idx, obj_id)
        inference_state.annotator.add_mask(frame_idx, inside[rows][:, columns], object_id=obj_id)
        return self._changed(inference_state, frame_idx, obj_id)

    def propagate_in_video(
        self,
        inference_state: InferenceState,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[int, list[int], Logits]]:
        """The masks in frame after frame, of all prompts at once.

        Args:
            inference_state: of `init_state`.
            start_frame_idx: the first frame with prompts where left out.
            max_frame_num_to_track: how many frames after that one; all where left out.
            reverse: whether to go towards frame 0.

        Yields:
            As `add_new_points_or_box` returns.

        Raises:
            InvalidRequestError: there are no prompts.
            MvsamError: as for `Scene.segment`.
        """
        prompted = checked_state(inference_state).annotator.views
        if not prompted:
            raise InvalidRequestError("there are no prompts yet; call add_new_points_or_box or add_new_mask first")
        if inference_state.answered is None:
            inference_state.answered = inference_state.annotator.segment()
        last = inference_state["num_frames"] - 1
        start = min(prompted) if start_frame_idx is None else inference_state.frame(start_frame_idx)
        most = last + 1
        if max_frame_num_to_track is not None:
            most = whole_number(max_frame_num_to_track, "max_frame_num_to_track")
        # As SAM2's does it: backwards from frame 0 there is nothing.
        backwards = range(start, max(start - most, 0) - 1, -1) if start else range(0)
        for frame in backwards if reverse else range(start, min(start + most, last) + 1):
            masks = {object_id: views[frame] for object_id, views in inference_state.answered.items()}
            yield frame, inference_state["obj_ids"], inference_state.logits(frame, masks)

    def clear_all_prompts_in_frame(
        self, inference_state: InferenceState, frame_idx: int, obj_id: int, need_output: bool = True
    ) -> tuple[int, list[int], Logits] | None:
        """Takes away all that an object has in a frame; the object stays, perhaps without any prompt and mask.

        Returns:
            As `add_new_points_or_box`; None where no output is needed.

        Raises:
            InvalidRequestError: the object would be left with negative clicks only.
        """
        frame_idx, obj_id = checked_state(inference_state).frame(frame_idx), whole_number(obj_id, "obj_id")
        left = inference_state.annotator.objects.get(obj_id, ObjectPrompts()).outside(frame_idx)
        if not left.is_empty and not left.has_positive:
            raise InvalidRequestError(
                f"object {obj_id} would be left with negative clicks only; clear the frames of those first"
            )
        inference_state.forget(frame_idx, obj_id)
        inference_state.answered = None
        if not need_output:
            return None
        return frame_idx, inference_state["obj_ids"], self._masks(inference_state, frame_idx)

    def reset_state(self, inference_state: InferenceState) -> None:
        """Takes all objects and prompts away; the scene stays."""
        checked_state(inference_state).annotator.clear()
        inference_state["obj_ids"].clear()
        inference_state.answered = None

    def remove_object(
        self, inference_state: InferenceState, obj_id: int, strict: bool = False, need_output: bool = True
    ) -> tuple[list[int], list[tuple[int, Logits]]]:
        """Takes an object away.

        Args:
            inference_state: of `init_state`.
            obj_id: which object.
            strict: whether one that does not exist is an error.
            need_output: whether masks are wanted.

        Returns:
            The ids of the others, and of each frame in which the object had prompts the masks of the others.

        Raises:
            InvalidRequestError: there is no such object, and `strict` is set.
        """
        ids, annotator = checked_state(inference_state)["obj_ids"], inference_state.annotator
        whole_number(obj_id, "obj_id")
        if obj_id not in ids:
            if strict:
                raise InvalidRequestError(f"obj_id: there is no object {obj_id}; those that exist are {ids}")
            return ids, []
        frames: list[int] = []
        if obj_id in annotator.objects:
            frames = sorted({prompt.view for prompt in annotator.objects[obj_id].all})
            annotator.remove_object(obj_id)
        ids.remove(obj_id)
        inference_state.answered = None
        if not (need_output and ids):
            return ids, []
        return ids, [(frame, self._masks(inference_state, frame)) for frame in frames]

    def close(self) -> None:
        """Ends the connection; the server forgets the scenes after a while."""
        self._client.close()

    def _changed(self, state: InferenceState, frame: int, object_id: int) -> tuple[int, list[int], Logits]:
        if object_id not in state["obj_ids"]:
            state["obj_ids"].append(object_id)
        state.answered = None
        return frame, state["obj_ids"], self._masks(state, frame)

    def _masks(self, state: InferenceState, frame: int) -> Logits:
        """Of one frame; its prompts make it come early, and the rest is not waited for."""
        for part in state.annotator.stream():
            if part.view == frame:
                return state.logits(frame, part.masks)
        return state.logits(frame, {})


def build(url: str = DEFAULT_URL, **options: Any) -> SAM2VideoPredictor:
    """A predictor over the server at HOST:PORT.

    Args:
        url: of its gRPC endpoint.
        options: further arguments of `Client`.
    """
    return SAM2VideoPredictor(Client(url, **options))


def _stretched(given: Prompts, width: float, height: float) -> Prompts:
    """Parts of a frame's sides as pixels."""
    return Prompts(
        tuple(replace(click, x=click.x * width, y=click.y * height) for click in given.clicks),
        tuple(
            replace(box, x0=box.x0 * width, y0=box.y0 * height, x1=box.x1 * width, y1=box.y1 * height)
            for box in given.boxes
        ),
    )
