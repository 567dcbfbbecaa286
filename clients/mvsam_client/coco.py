"""The result as a COCO annotation file."""

from collections.abc import Sequence

import numpy as np

from mvsam_client.file_names import portable
from mvsam_client.result import Segmentation
from mvsam_client.values import sequence_of

# What COCO's tools look up without asking whether it is there.
INFO = {"description": "Masks of objects in photographs of one scene, by MV-SAM", "version": "1.0"}
SUPERCATEGORY = "object"


def annotations(result: Segmentation, names: Sequence[str]) -> dict:
    """COCO's dictionary: one image a view, one category an object, one annotation a mask that is not empty.

    Identifiers count from 1, as COCO's tools expect. Sizes and masks are of the upright photographs.

    Raises:
        InvalidRequestError: there are more names than views, or fewer, or they are no names.
    """
    names = sequence_of(names, str, "names")
    result.check_photographs(len(names))
    images = [
        {"id": view + 1, "file_name": portable(name), "width": int(width), "height": int(height)}
        for view, (name, (height, width)) in enumerate(zip(names, result.sizes, strict=True))
    ]
    found = []
    for index, row in enumerate(result.masks):
        for view, mask in enumerate(row):
            if mask.any():
                found.append(
                    {
                        "id": len(found) + 1,
                        "image_id": view + 1,
                        "category_id": index + 1,
                        "segmentation": result.rles[index][view],
                        "bbox": bounding_box(mask),
                        "area": int(mask.sum()),
                        "score": float(result.scores[index, view]),
                        "iscrowd": 0,
                    }
                )
    categories = [
        {"id": index + 1, "name": f"object {name}", "supercategory": SUPERCATEGORY}
        for index, name in enumerate(result.object_ids)
    ]
    return {"info": INFO, "licenses": [], "images": images, "categories": categories, "annotations": found}


def bounding_box(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] in pixels of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
