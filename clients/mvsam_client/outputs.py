"""A folder with the result: masks, overlays, contact sheet, COCO file, point cloud."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam_client import cloud, coco, pictures
from mvsam_client.cloud import CLOUD_OUTPUTS
from mvsam_client.errors import InvalidRequestError
from mvsam_client.file_names import file_stem, portable
from mvsam_client.file_set import replaced
from mvsam_client.images import ImageSource, encode_image, png, upright
from mvsam_client.prompts import Box, Click, checked
from mvsam_client.result import Segmentation
from mvsam_client.terminal import shown
from mvsam_client.values import elements, file_path, sequence_of


@dataclass(frozen=True)
class Saved:
    """Where everything is written.

    Attributes:
        contact_sheet: all views in one picture.
        overlays: [views].
        masks: [objects][views].
        annotations: in COCO's form.
        point_cloud: None where there is none.
    """

    contact_sheet: Path
    overlays: list[Path]
    masks: list[list[Path]]
    annotations: Path
    point_cloud: Path | None

    @classmethod
    def of(cls, names: Sequence[str], object_ids: Sequence[int], with_cloud: bool) -> "Saved":
        """Places relative to the folder.

        Args:
            names: of the photographs.
            object_ids: in the files' names where there are several.
            with_cloud: whether there is a point cloud.
        """
        stems = [file_stem(view, name) for view, name in enumerate(names)]
        suffixes = [f"_object{object_id}" for object_id in object_ids] if len(object_ids) > 1 else [""]
        return cls(
            contact_sheet=Path("contact_sheet.png"),
            overlays=[Path("overlays", f"{stem}.jpg") for stem in stems],
            masks=[[Path("masks", f"{stem}{suffix}.png") for stem in stems] for suffix in suffixes],
            annotations=Path("annotations.json"),
            point_cloud=Path("points.ply") if with_cloud else None,
        )

    @property
    def files(self) -> list[Path]:
        """All of them."""
        found = [self.contact_sheet, self.annotations, *self.overlays, *(path for row in self.masks for path in row)]
        return [*found, self.point_cloud] if self.point_cloud else found

    def inside(self, folder: Path) -> "Saved":
        """The same in a folder."""
        return Saved(
            folder / self.contact_sheet,
            [folder / path for path in self.overlays],
            [[folder / path for path in row] for row in self.masks],
            folder / self.annotations,
            folder / self.point_cloud if self.point_cloud else None,
        )


def save(
    directory: Path,
    result: Segmentation,
    images: Sequence[ImageSource],
    names: Sequence[str],
    *,
    points: Sequence[Click] = (),
    boxes: Sequence[Box] = (),
) -> Saved:
    """Writes the result into a folder, which is made where it is missing; see `file_set.replaced`.

    The files of a former result there are replaced, all of them or none. Photographs are decoded one at a time.

    Args:
        directory: the folder.
        result: of `Client.segment`; the point cloud is written where its `extra` holds CLOUD_OUTPUTS.
        images: the photographs that were sent.
        names: their file names.
        points: the clicks, to be drawn.
        boxes: the boxes, to be drawn; of objects of the result.

    Raises:
        OSError: the folder cannot be written.
        InvalidRequestError: a photograph cannot be decoded or is none of the result's, a prompt is none, a file is in
            the way, or another run is writing there.
    """
    images, names = elements(images, "images", "give those that were sent"), sequence_of(names, str, "names")
    points, boxes = checked(points, Click, "points"), checked(boxes, Box, "boxes")
    if strange := {box.object for box in boxes}.difference(result.object_ids):
        raise InvalidRequestError(f"boxes: {sorted(strange)} are no objects of the result; give boxes of its objects")
    result.check_photographs(len(images))
    result.check_photographs(len(names))
    with_cloud = all(name in result.extra for name in CLOUD_OUTPUTS)
    places = Saved.of(names, result.object_ids, with_cloud)
    tiles, samples = [], []
    with replaced(file_path(directory, "directory")) as folder:
        for view, (image, name) in enumerate(zip(images, names, strict=True)):
            photograph = upright(encode_image(image, name), name)
            result.check_size(view, photograph, name)
            view_masks = [row[view] for row in result.masks]
            for row, mask in zip(places.masks, view_masks, strict=True):
                _write(folder / row[view], png(Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))))
            drawn = pictures.overlay(
                photograph,
                view_masks,
                [click for click in points if click.view == view],
                [replace(box, object=result.object_ids.index(box.object)) for box in boxes if box.view == view],
            )
            _write(folder / places.overlays[view], _jpeg(drawn))
            tiles.append(pictures.thumbnail(drawn))
            if with_cloud:
                height, width = result.extra["points"].shape[1:3]
                rect = result.extra["GEOMETRY_RECTS"][view]
                samples.append(cloud.view_colours(photograph, view_masks, rect, height, width))
        sheet = pictures.contact_sheet(tiles, [caption(result, view, name) for view, name in enumerate(names)])
        _write(folder / places.contact_sheet, png(sheet))
        _write(folder / places.annotations, json.dumps(coco.annotations(result, names)).encode())
        if places.point_cloud:
            _write(folder / places.point_cloud, cloud.joined(samples, result.extra).ply())
    return places.inside(directory)


def caption(result: Segmentation, view: int, name: str) -> str:
    """Returns a line on a view: its file, and the share and score of each object, named where there are several."""
    height, width = result.sizes[view]
    shares = 100 * result.areas[:, view] / (int(height) * int(width))
    several = len(result.object_ids) > 1
    objects = [
        f"{f'object {object_id}: ' if several else ''}{share:.1f} %, score {score:.2f}"
        for object_id, share, score in zip(result.object_ids, shares, result.scores[:, view], strict=True)
    ]
    return f"{view}  {shown(portable(name))}  " + "  |  ".join(objects)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Without chroma subsampling: thin coloured outlines stay sharp.
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
