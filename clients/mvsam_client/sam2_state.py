"""What the predictor in SAM2's shape keeps of a scene, and how it hands masks out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mvsam_client.annotator import Annotator
from mvsam_client.errors import InvalidRequestError
from mvsam_client.object_prompts import ObjectPrompts
from mvsam_client.scene import Scene
from mvsam_client.values import instance, whole_number

LOGIT = 10.0  # inside a mask; SAM2 makes as much of a mask that it is given


class Logits(np.ndarray):
    """An array with the methods by which tools take a tensor to NumPy."""

    def cpu(self) -> "Logits":
        """Itself: it is here already."""
        return self

    def detach(self) -> "Logits":
        """Itself: it has no gradient."""
        return self

    def numpy(self) -> np.ndarray:
        """Itself as a plain array."""
        return np.asarray(self)


class InferenceState(dict[str, Any]):
    """A scene and what was pointed at in it.

    The keys that tools read: `num_frames`, `video_height` and `video_width` (of the first frame), `obj_ids`.

    Attributes:
        scene: that the server keeps.
        annotator: its prompts.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.annotator = scene, Annotator(scene)
        self.answered: dict[int, list[np.ndarray]] | None = None  # by the prompts as they are
        height, width = self.sizes[0]
        super().__init__(num_frames=len(self.sizes), video_height=int(height), video_width=int(width), obj_ids=[])

    @property
    def sizes(self) -> np.ndarray:
        """(h, w) of the frames, [N, 2]."""
        assert self.scene.sizes is not None, "`Client.encode` has set it"
        return self.scene.sizes

    def frame(self, frame: int) -> int:
        """The number of a frame.

        Raises:
            InvalidRequestError: there is no such frame.
        """
        if not 0 <= whole_number(frame, "frame_idx") < self["num_frames"]:
            raise InvalidRequestError(
                f"frame_idx: there is no frame {frame}; frames count from 0 to {self['num_frames'] - 1}"
            )
        return int(frame)

    def forget(self, frame: int, object_id: int, *, points: bool = True) -> None:
        """Takes away what an object has in a frame.

        Args:
            frame: which.
            object_id: which.
            points: whether its clicks and its box go too; a mask goes always, for SAM2 has it not beside clicks.
        """
        prompts = self.annotator.objects.get(object_id, ObjectPrompts())
        if any(mask.view == frame for mask in prompts.masks):
            self.annotator.remove_mask(frame, object_id=object_id)
        if points and any(box.view == frame for box in prompts.boxes):
            self.annotator.remove_box(frame, object_id=object_id)
        gone = [index for index, click in enumerate(prompts.clicks) if points and click.view == frame]
        for index in reversed(gone):
            self.annotator.remove_click(index, object_id=object_id)

    def logits(self, frame: int, masks: Mapping[int, np.ndarray]) -> Logits:
        """The masks in a frame, bool [h, w] by object id, as [O, 1, h, w]; all outside where there is none."""
        nothing = np.zeros(self.sizes[frame], bool)
        found = np.stack([nothing, *(masks.get(object_id, nothing) for object_id in self["obj_ids"])])[1:, None]
        return np.where(found, np.float32(LOGIT), np.float32(-LOGIT)).view(Logits)


def checked_state(state: InferenceState) -> InferenceState:
    """Returns the state.

    Raises:
        InvalidRequestError: it is none.
    """
    return instance(state, InferenceState, "inference_state", "give what `init_state` has returned")
