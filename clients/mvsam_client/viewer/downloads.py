"""What the page's export buttons give: files for the person who clicked."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

from mvsam_client.cloud import PointCloud
from mvsam_client.file_names import file_stem, portable
from mvsam_client.result import Segmentation
from mvsam_client.viewer.exhibit import Exhibit
from mvsam_client.viewer.points import Points


def masks_zip(result: Segmentation, names: Sequence[str]) -> bytes:
    """A ZIP file of PNGs, one for each photograph and object, white on black, at the photograph's size.

    Args:
        result: with the masks.
        names: of the photographs.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for view, name in enumerate(names):
            stem = portable(file_stem(view, name)).encode("utf-8", "ignore").decode()  # ZIP takes no other names
            for object_id in result.object_ids:
                content = result.png(view, object_id)
                archive.writestr(f"masks/{stem}_object{object_id}.png", content)
    return buffer.getvalue()


def coco_json(result: Segmentation, names: Sequence[str]) -> bytes:
    """A COCO annotation file."""
    return json.dumps(result.coco(names)).encode()


def point_cloud(exhibit: Exhibit, masks: Sequence[Mapping[int, np.ndarray]], share: float) -> PointCloud:
    """All points of the scene in the server's frame, not only those that the page draws, and their colours.

    Args:
        exhibit: the scene.
        masks: for each view, bool [h, w] by object id, which are tinted.
        share: of the least sure points, which are left out.
    """
    positions, colours = [], []
    for view, by_object in enumerate(masks):
        alone = slice(view, view + 1)
        points = Points.of(exhibit.is_surer(exhibit.certainty[alone], share), exhibit.rects[alone])
        positions.append(exhibit.maps[view, points.rows, points.columns])
        colours.append(points.tinted(points.colours([exhibit.pictures[view]]), [by_object]))
    return PointCloud(np.concatenate(positions), np.concatenate(colours))
