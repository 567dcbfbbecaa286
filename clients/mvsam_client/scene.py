"""A scene that the server keeps: encoded once, clicked on many times."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

import numpy as np

from mvsam_client.connection import Connection, Tensors
from mvsam_client.errors import ServerError, UnknownSceneError
from mvsam_client.images import ImageSource, encode_images
from mvsam_client.prompts import Box, Click, Geometry, MaskPrompt, prompt_tensors
from mvsam_client.result import Segmentation, ViewMasks, decoded

MODEL = "mvsam_scene"
# A click is answered in less than seconds, but perhaps behind others.
CLICK_TIMEOUT = 60.0
ENCODE_TIMEOUT = 600.0


class Scene:
    """A handle; a context manager, which closes the scene.

    Made by `Client.encode`, or by `Client.scene` from an id.

    Attributes:
        id: 32 hexadecimal digits. Whoever knows it may use the scene.
        sizes: i32 [N, 2], (h, w) of the upright photographs; None until this handle has encoded or changed the scene.
        statistics: f32 [7], mean and deviation of the points and the confidence threshold; likewise.
        extra: the further outputs that were asked for, by name.
    """

    def __init__(self, connection: Connection, scene_id: str = "", outputs: Sequence[str] = ()) -> None:
        self._connection, self._outputs = connection, tuple(dict.fromkeys(outputs))
        self.id = scene_id
        self.sizes: np.ndarray | None = None
        self.statistics: np.ndarray | None = None
        self.extra: dict[str, np.ndarray] = {}

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()

    def encode(self, images: Iterable[ImageSource], geometry: Geometry | None, timeout: float) -> None:
        """What `Client.encode` calls: sends the photographs and takes the scene's id."""
        self._prepare("encode", {"IMAGES": encode_images(images)} | _geometry_tensors(geometry), timeout)

    def segment(
        self,
        *,
        points: Sequence[Click] = (),
        boxes: Sequence[Box] = (),
        masks: Sequence[MaskPrompt] = (),
        previous: str = "",
        timeout: float = CLICK_TIMEOUT,
    ) -> Segmentation:
        """Masks of the prompted objects in every photograph.

        Args:
            points: clicks; with `boxes` and `masks` at least one prompt.
            boxes: rectangles around objects.
            masks: rough masks of objects.
            previous: `answer` of a former segmentation of the same objects, whose masks are refined; send its clicks
                again, with more. The server keeps answers for a while, and as long as the scene does not change.
            timeout: seconds to wait for the whole answer.

        Raises:
            UnknownSceneError: the server does not hold the scene any more; encode it again.
            InvalidRequestError, ServerUnavailableError, DeadlineExceededError, ServerError: as for `Client.segment`.
        """
        found = sorted(
            self.stream(points=points, boxes=boxes, masks=masks, previous=previous, timeout=timeout),
            key=lambda part: part.view,
        )
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
        )

    def stream(
        self,
        *,
        points: Sequence[Click] = (),
        boxes: Sequence[Box] = (),
        masks: Sequence[MaskPrompt] = (),
        previous: str = "",
        timeout: float = CLICK_TIMEOUT,
    ) -> Iterator[ViewMasks]:
        """As `segment`, view by view as they are ready, prompted views first; to stop listening cancels the rest."""
        tensors = prompt_tensors(points, boxes, masks) | {"ENCODING": _text("rle")}
        if previous:
            tensors["PREVIOUS"] = _text(previous)
        for part in self._ask("segment", tensors, ("VIEW", "MASKS", "SCORES", "AREAS", "ANSWER"), timeout):
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

    def add(
        self, images: Iterable[ImageSource], *, geometry: Geometry | None = None, timeout: float = ENCODE_TIMEOUT
    ) -> None:
        """Adds photographs behind those of the scene, with their pointmaps where it has the user's own.

        The scene becomes what it would be had all been encoded together.
        """
        self._prepare("add", {"IMAGES": encode_images(images)} | _geometry_tensors(geometry), timeout)

    def remove(self, views: Sequence[int], *, timeout: float = ENCODE_TIMEOUT) -> None:
        """Removes photographs; the views behind them count down.

        The scene becomes what it would be had the rest been encoded alone.
        """
        self._prepare("remove", {"VIEWS": np.array(views, np.int32)}, timeout)

    def close(self, *, timeout: float = CLICK_TIMEOUT) -> None:
        """Lets the server forget the scene; no error if it has already."""
        with contextlib.suppress(UnknownSceneError):
            list(self._ask("close", {}, ("SCENE",), timeout))

    def _prepare(self, action: str, tensors: Tensors, timeout: float) -> None:
        names = ("SCENE", "IMAGE_SIZES", "SCENE_STATISTICS", *self._outputs)
        answers = list(self._ask(action, tensors, tuple(dict.fromkeys(names)), timeout))
        if len(answers) != 1:
            raise ServerError(
                f"the server answered {action} {len(answers)} times; update the older of client and server"
            )
        answer = answers[0]
        self.id = answer["SCENE"][0].decode()
        self.sizes, self.statistics = answer["IMAGE_SIZES"], answer["SCENE_STATISTICS"]
        self.extra = {name: answer[name] for name in self._outputs if name in answer}

    def _ask(self, action: str, tensors: Tensors, outputs: Sequence[str], timeout: float) -> Iterator[Tensors]:
        known = {"SCENE": _text(self.id)} if self.id else {}
        return self._connection.stream(MODEL, {"ACTION": _text(action)} | known | tensors, outputs, timeout)


def _geometry_tensors(geometry: Geometry | None) -> Tensors:
    return {} if geometry is None else geometry.tensors()


def _text(value: str) -> np.ndarray:
    return np.array([value.encode()], object)
