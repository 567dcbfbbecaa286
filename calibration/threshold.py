"""The share of the points that count as low in confidence (the paper's Table 13), on scenes whose masks are known."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from calibration.chain import Networks
from calibration.labelled import LabelledScene
from export.verify import Recorded
from mvsam.pipeline.normalization import normalize
from mvsam.runtime.segmenter import Segmented, Segmenter

PERCENTS = (0, 5, 10, 15, 20, 25, 30)


class Line(NamedTuple):
    """What a share leads to, over objects; each object's figures are means over its views without clicks.

    Attributes:
        percent: of the points that count as low.
        iou: mean.
        found: mean share of an object that is marked (mAcc in the paper's tables).
        objects: how many were asked about.
    """

    percent: int
    iou: float
    found: float
    objects: int


def sweep(segmenter: Segmenter, scenes: Iterable[LabelledScene], percents: Sequence[int] = PERCENTS) -> list[Line]:
    """Encodes each scene once and decodes it for every share; nothing but the flags of low confidence changes.

    Raises:
        RequestError: a scene that the service would refuse.
    """
    figures: dict[int, list[tuple[float, float]]] = {percent: [] for percent in percents}
    for labelled in scenes:
        scene = labelled.scene
        embedder, decoder = Recorded(segmenter.point_embedder), Recorded(segmenter.mask_decoder)
        recorded = replace(segmenter, point_embedder=embedder, mask_decoder=decoder)
        encoded = recorded.segment(scene.images, scene.prompts, scene.geometry)
        for percent in percents:
            placed = normalize(
                encoded.geometry,
                encoded.prepared.image_sizes,
                encoded.prepared.geometry_rects,
                scene.prompts,
                grid_side=segmenter.encoder_side // 16,
                low_percent=percent,
            )
            points = segmenter.point_embedder.run(embedder.inputs | {"grid_low_confidence": placed.grid_low_confidence})
            flags = {"prompt_low_confidence": placed.prompt_low_confidence}
            logits = segmenter.mask_decoder.run(decoder.inputs | points | flags)["mask_logits"]
            figures[percent] += _judged(labelled, replace(encoded, mask_logits=logits))
    lines = []
    for percent, found in figures.items():
        iou, share = np.mean(found, axis=0)
        lines.append(Line(percent, float(iou), float(share), len(found)))
    return lines


def write_sweep(path: Path, networks: Networks, scenes: Iterable[LabelledScene]) -> str:
    """Writes the table under a temporary name first; returns it.

    Raises:
        ValueError: a scene has no geometry, and π³ has random weights; or as `sweep`.
    """
    content = table(sweep(networks.segmenter({}, {}), _with_geometry(scenes, networks)))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)
    return content


def table(lines: Sequence[Line]) -> str:
    """The sweep in Markdown; the best mIoU is bold."""
    best = max(line.iou for line in lines)
    rows = [
        f"| {line.percent} % | {'**' if line.iou == best else ''}{line.iou:.1%}{'**' if line.iou == best else ''} |"
        f" {line.found:.1%} |\n"
        for line in lines
    ]
    head = "| low in confidence | mIoU | mAcc |\n| --- | --- | --- |\n"
    return f"{lines[0].objects} objects, views without clicks\n\n{head}{''.join(rows)}"


def _with_geometry(scenes: Iterable[LabelledScene], networks: Networks) -> Iterator[LabelledScene]:
    for labelled in scenes:
        if labelled.scene.geometry is None and not networks.weights["pi3"]["trained"]:
            raise ValueError(
                f"{labelled.scene.name} has no geometry.npz, and π³'s random weights cannot estimate it: give either"
            )
        yield labelled


def _judged(labelled: LabelledScene, answer: Segmented) -> list[tuple[float, float]]:
    """IoU and share found of each object, before sprinkles are dropped."""
    return [
        tuple(np.mean([_overlap(answer.mask_logits[index, view], mask) for view, mask in masks.items()], axis=0))
        for index, masks in enumerate(labelled.masks)
    ]


def _overlap(logits: np.ndarray, exact: np.ndarray) -> tuple[float, float]:
    height, width = exact.shape
    found = cv2.resize(logits.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0
    common = (found & exact).sum()
    return common / (found | exact).sum(), common / exact.sum()
