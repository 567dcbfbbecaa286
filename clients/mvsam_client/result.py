"""The server's answer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mvsam_client import rle
from mvsam_client.errors import InvalidRequestError, ServerError
from mvsam_client.images import ImageSource, png
from mvsam_client.values import view_number, whole_number

if TYPE_CHECKING:
    from supervision import Detections  # pyright: ignore[reportMissingImports]

    from mvsam_client.cloud import PointCloud


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """One mask per object and view.

    Attributes:
        masks: [objects][views] of bool [h, w], each at its upright photograph's own size.
        rles: [objects][views] of the same masks as COCO writes them: {"size": [h, w], "counts": str}.
        scores: f32 [O, N], mean probability inside the mask, 0 where it is empty.
        areas: i64 [O, N], pixels.
        sizes: i32 [N, 2], (h, w) of the upright photographs.
        extra: the further outputs that were asked for, by name.
        answer: of a scene's server, which keeps the masks a while, to be refined; empty from the ensembles.
        object_ids: O, what the user calls the objects.
    """

    masks: list[list[np.ndarray]]
    rles: list[list[dict]]
    scores: np.ndarray
    areas: np.ndarray
    sizes: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    answer: str = ""
    object_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.object_ids:
            object.__setattr__(self, "object_ids", tuple(range(len(self.masks))))

    def __repr__(self) -> str:
        return f"Segmentation(object_ids={self.object_ids}, views={len(self.sizes)}, answer={self.answer!r})"

    @classmethod
    def of(
        cls, answer: Mapping[str, np.ndarray], extra: tuple[str, ...] = (), object_ids: tuple[int, ...] = ()
    ) -> "Segmentation":
        """Reads the outputs of the ensembles, with masks as RLE.

        Raises:
            ServerError: a mask cannot be decoded.
        """
        found = [[decoded(encoded) for encoded in row] for row in answer["MASKS"]]
        return cls(
            [[mask for mask, _ in row] for row in found],
            [[run_lengths for _, run_lengths in row] for row in found],
            answer["SCORES"],
            answer["AREAS"],
            answer["IMAGE_SIZES"],
            {name: answer[name] for name in extra},
            object_ids=object_ids,
        )

    def array(self) -> np.ndarray:
        """All masks as bool [O, N, h, w].

        Raises:
            InvalidRequestError: the photographs differ in size; take `masks`.
        """
        if len(np.unique(self.sizes, axis=0)) > 1:
            raise InvalidRequestError("the photographs differ in size, so their masks are no one array; take `masks`")
        return np.array(self.masks, bool)

    def png(self, view: int, object_id: int | None = None) -> bytes:
        """A mask as the bytes of a PNG file, 255 inside and 0 outside.

        Args:
            view: of which photograph.
            object_id: of which object; the only one where left out.

        Raises:
            InvalidRequestError: there is no such view or object, or no object is named among several.
        """
        inside = self.masks[self._row(object_id)][self.checked_view(view)]
        return png(Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)))

    def coco(self, names: Sequence[str]) -> dict:
        """COCO's dictionary, to be written as JSON; see `coco.annotations`.

        Args:
            names: file names of the photographs.
        """
        from mvsam_client.coco import annotations

        return annotations(self, names)

    def sam_dicts(self, view: int) -> list[dict]:
        """The masks of one view as SAM's automatic mask generator gives them; see `sam_dicts.sam_dicts`."""
        from mvsam_client.sam_dicts import sam_dicts

        return sam_dicts(self, view)

    def detections(self, view: int) -> "Detections":
        """The masks of one view for the package `supervision`; see `detections.detections`.

        Raises:
            MissingExtraError: `supervision` is not installed.
        """
        from mvsam_client.detections import detections

        return detections(self, view)

    def point_cloud(
        self, photographs: Iterable[ImageSource], outputs: Mapping[str, np.ndarray] | None = None
    ) -> "PointCloud":
        """The scene in colour with the objects tinted, to be written as PLY or GLB; see `cloud.point_cloud`.

        Args:
            photographs: that were sent.
            outputs: points, confidence and GEOMETRY_RECTS: `extra` where left out, or a `Scene.extra`.

        Raises:
            InvalidRequestError: an output is missing, or a photograph cannot be decoded.
        """
        from mvsam_client.cloud import point_cloud

        return point_cloud(self, photographs, self.extra if outputs is None else outputs)

    def checked_view(self, view: int) -> int:
        """Returns the view.

        Raises:
            InvalidRequestError: there is no such view.
        """
        if not 0 <= view_number(view) < len(self.sizes):
            raise InvalidRequestError(f"view: there is no view {view}; views count from 0 to {len(self.sizes) - 1}")
        return view

    def check_photographs(self, count: int) -> None:
        """Raises InvalidRequestError where there are more photographs than views, or fewer."""
        if count != len(self.sizes):
            raise InvalidRequestError(
                f"there are {count} photographs or names for the {len(self.sizes)} views of the result; give those "
                "that were segmented, in their order"
            )

    def check_size(self, view: int, pixels: np.ndarray, name: str) -> None:
        """Raises InvalidRequestError where an upright photograph, [h, w, 3], is not of the view's size."""
        (height, width), (own_height, own_width) = self.sizes[view], pixels.shape[:2]
        if (height, width) != (own_height, own_width):
            raise InvalidRequestError(
                f"{name} is {own_width}x{own_height}, and view {view} of the result {width}x{height}; give the "
                "photographs that were segmented, in their order"
            )

    def _row(self, object_id: int | None) -> int:
        if object_id is None and len(self.object_ids) == 1:
            return 0
        if object_id is None or whole_number(object_id, "object_id") not in self.object_ids:
            raise InvalidRequestError(f"object_id: {object_id} is none of the objects; give one of {self.object_ids}")
        return self.object_ids.index(object_id)


@dataclass(frozen=True, eq=False, repr=False)
class ViewMasks:
    """The masks of one view.

    Attributes:
        view: which.
        masks: [objects] of bool [h, w], at the upright photograph's own size.
        rles: [objects] of the same masks as COCO writes them.
        scores: f32 [O], mean probability inside the mask, 0 where it is empty.
        areas: i64 [O], pixels.
        answer: see `Segmentation`; empty but for the views that come last.
    """

    view: int
    masks: list[np.ndarray]
    rles: list[dict]
    scores: np.ndarray
    areas: np.ndarray
    answer: str

    def __repr__(self) -> str:
        return f"ViewMasks(view={self.view}, objects={len(self.masks)}, answer={self.answer!r})"


def views_of(part: Mapping[str, np.ndarray]) -> Iterator[ViewMasks]:
    """Reads one response about a scene.

    Raises:
        ServerError: a mask cannot be decoded.
    """
    answer = part["ANSWER"][0].decode() if "ANSWER" in part else ""
    for column, view in enumerate(part["VIEW"]):
        found = [decoded(encoded) for encoded in part["MASKS"][:, column]]
        yield ViewMasks(
            int(view),
            [mask for mask, _ in found],
            [run_lengths for _, run_lengths in found],
            part["SCORES"][:, column],
            part["AREAS"][:, column],
            answer,
        )


def assembled(parts: Iterable[ViewMasks], object_ids: tuple[int, ...] = ()) -> Segmentation:
    """The views of one answer, in whatever order they came.

    Raises:
        ServerError: a view is missing.
    """
    found = sorted(parts, key=lambda part: part.view)
    if [part.view for part in found] != list(range(len(found))) or not found:
        raise ServerError("the server left out a view; update the older of client and server")
    objects = range(len(found[0].masks))
    return Segmentation(
        masks=[[part.masks[o] for part in found] for o in objects],
        rles=[[part.rles[o] for part in found] for o in objects],
        scores=np.stack([part.scores for part in found], axis=1),
        areas=np.stack([part.areas for part in found], axis=1),
        sizes=np.array([part.rles[0]["size"] for part in found], np.int32),
        answer="".join({part.answer for part in found}),
        object_ids=object_ids,
    )


def decoded(encoded: bytes) -> tuple[np.ndarray, dict]:
    """A mask, bool [h, w], and its RLE, of one element of MASKS.

    Raises:
        ServerError: it cannot be decoded.
    """
    try:
        run_lengths = json.loads(encoded)
        height, width = run_lengths["size"]
        return rle.decode(run_lengths["counts"], int(height), int(width)), run_lengths
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"MASKS: no COCO RLE ({error}); update the older of client and server") from None
