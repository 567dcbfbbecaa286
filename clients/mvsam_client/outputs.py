"""A folder with the result: masks, overlays, contact sheet, COCO file, point cloud."""

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam_client import cloud, coco, pictures
from mvsam_client.cloud import CLOUD_OUTPUTS
from mvsam_client.images import ImageSource, encode_image, png, upright
from mvsam_client.prompts import Box, Click
from mvsam_client.result import Segmentation


@dataclass(frozen=True)
class Saved:
    """Where everything was written."""

    contact_sheet: Path
    overlays: list[Path]
    masks: list[list[Path]]
    annotations: Path
    point_cloud: Path | None


def save(
    directory: Path,
    result: Segmentation,
    images: Sequence[ImageSource],
    names: Sequence[str],
    *,
    points: Sequence[Click] = (),
    boxes: Sequence[Box] = (),
) -> Saved:
    """Writes the result into a folder, which is made where it is missing.

    Photographs are decoded one at a time. Every file is written under a temporary name and renamed, so that none is
    ever half there.

    Args:
        directory: the folder.
        result: of `Client.segment`; the point cloud is written where its `extra` holds CLOUD_OUTPUTS.
        images: the photographs that were sent.
        names: their file names.
        points: the clicks, to be drawn.
        boxes: the boxes, to be drawn; of objects of the result.

    Raises:
        OSError: the folder cannot be written.
        InvalidRequestError: a photograph cannot be decoded.
    """
    with_cloud = all(name in result.extra for name in CLOUD_OUTPUTS)
    overlays, masks, tiles, samples = [], [[] for _ in result.masks], [], []
    for view, (image, name) in enumerate(zip(images, names, strict=True)):
        photograph = upright(encode_image(image, name), name)
        stem = f"{view:03d}_{Path(name).stem}"
        view_masks = [row[view] for row in result.masks]
        for index, (object_id, mask) in enumerate(zip(result.object_ids, view_masks, strict=True)):
            suffix = f"_object{object_id}" if len(view_masks) > 1 else ""
            encoded = png(Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)))
            masks[index].append(write(directory / "masks" / f"{stem}{suffix}.png", encoded))
        drawn = pictures.overlay(
            photograph,
            view_masks,
            [click for click in points if click.view == view],
            [replace(box, object=result.object_ids.index(box.object)) for box in boxes if box.view == view],
        )
        overlays.append(write(directory / "overlays" / f"{stem}.jpg", _jpeg(drawn)))
        tiles.append(pictures.thumbnail(drawn))
        if with_cloud:
            height, width = result.extra["points"].shape[1:3]
            rect = result.extra["GEOMETRY_RECTS"][view]
            samples.append(cloud.view_colours(photograph, view_masks, rect, height, width))
    sheet = pictures.contact_sheet(tiles, [caption(result, view, name) for view, name in enumerate(names)])
    return Saved(
        contact_sheet=write(directory / "contact_sheet.png", png(sheet)),
        overlays=overlays,
        masks=masks,
        annotations=write(directory / "annotations.json", json.dumps(coco.annotations(result, names)).encode()),
        point_cloud=write(directory / "points.ply", cloud.joined(samples, result.extra).ply()) if with_cloud else None,
    )


def caption(result: Segmentation, view: int, name: str) -> str:
    """One line on a view: file, and for each object the share of the picture and the score."""
    height, width = result.sizes[view]
    shares = 100 * result.areas[:, view] / (int(height) * int(width))
    objects = [f"{share:.1f} %, score {score:.2f}" for share, score in zip(shares, result.scores[:, view], strict=True)]
    return f"{view}  {name}  " + "  |  ".join(objects)


def write(path: Path, content: bytes) -> Path:
    """Writes a file whole or not at all, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    # Without chroma subsampling: thin coloured outlines stay sharp.
    picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()
