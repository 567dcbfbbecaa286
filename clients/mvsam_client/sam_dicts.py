"""The masks of one view in the form of SAM's automatic mask generator, which many tools read."""

from mvsam_client.coco import bounding_box
from mvsam_client.result import Segmentation


def sam_dicts(result: Segmentation, view: int) -> list[dict]:
    """One dictionary a mask that is not empty, the largest first, with what is known of SAM's keys.

    `segmentation` bool [h, w], `area` in pixels, `bbox` [x, y, width, height], `predicted_iou` (our score: the mean
    probability inside the mask), `crop_box` (the whole photograph); and `object_id`, which is ours.

    Raises:
        InvalidRequestError: there is no such view.
    """
    height, width = (int(side) for side in result.sizes[result.checked_view(view)])
    found = [
        {
            "segmentation": row[view],
            "area": int(row[view].sum()),
            "bbox": bounding_box(row[view]),
            "predicted_iou": float(result.scores[index, view]),
            "crop_box": [0, 0, width, height],
            "object_id": result.object_ids[index],
        }
        for index, row in enumerate(result.masks)
        if row[view].any()
    ]
    return sorted(found, key=lambda each: each["area"], reverse=True)
