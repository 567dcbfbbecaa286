"""The masks of one view for the package `supervision`, which draws, counts and exports them."""

from typing import TYPE_CHECKING

import numpy as np

from mvsam_client.coco import bounding_box
from mvsam_client.errors import missing_extra
from mvsam_client.result import Segmentation

if TYPE_CHECKING:
    from supervision import Detections  # pyright: ignore[reportMissingImports]


def detections(result: Segmentation, view: int) -> "Detections":
    """The masks that are not empty.

    `class_id` and `tracker_id` are the objects' ids, the same in every view; `confidence` is the score.

    Raises:
        MissingExtraError: `supervision` is not installed.
        InvalidRequestError: there is no such view.
    """
    result.checked_view(view)
    try:
        import supervision  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise missing_extra("detections need the package supervision", "supervision") from None
    rows = [index for index, row in enumerate(result.masks) if row[view].any()]
    if not rows:
        return supervision.Detections.empty()
    masks = np.stack([result.masks[index][view] for index in rows])
    boxes = np.array([bounding_box(mask) for mask in masks], np.float32)
    ids = np.array([result.object_ids[index] for index in rows])
    return supervision.Detections(
        xyxy=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        mask=masks,
        confidence=np.asarray(result.scores)[rows, view],
        class_id=ids,
        tracker_id=ids,
    )
