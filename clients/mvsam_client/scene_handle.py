"""What a handle of a scene knows, what it asks and how it reads the answers; nothing is sent here.

`Scene` and `AsyncScene` send it.
"""

import reprlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mvsam_client.digests import check_same
from mvsam_client.errors import InvalidRequestError, SceneChangedError, ServerError
from mvsam_client.images import encode_images
from mvsam_client.prompts import GEOMETRY_REMEDY, Geometry
from mvsam_client.result import Segmentation, ViewMasks, views_of
from mvsam_client.retries import Attempts, Persistence, checked_timeout
from mvsam_client.sources import Source, photographs
from mvsam_client.values import instance, sequence_of
from mvsam_client.vocabulary import Prompting, Prompts, as_array, gather
from mvsam_client.wire import Tensors

MODEL = "mvsam_scene"
# A click is answered in less than seconds, but perhaps behind others.
CLICK_TIMEOUT = 60.0
ENCODE_TIMEOUT = 600.0
_CHANGES = ("add", "remove")


@dataclass(frozen=True, eq=False)
class SceneRequest:
    """One request about a scene, whatever its id.

    Attributes:
        action: what is to be done.
        inputs: by name, without ACTION and SCENE.
        outputs: names of what is wanted.
        is_renewable: whether the scene is encoded again for it, where the server has lost it.
        digests: of the photographs that it is about; None where they are not known.
    """

    action: str
    inputs: Tensors = field(default_factory=dict)
    outputs: tuple[str, ...] = ("SCENE",)
    is_renewable: bool = False
    digests: tuple[str, ...] | None = None

    def tensors(self, scene_id: str) -> Tensors:
        """What is sent."""
        known = {} if self.action == "encode" else {"SCENE": text(scene_id)}
        return {"ACTION": text(self.action)} | known | self.inputs

    def renewed(self) -> "SceneRequest":
        """The request about the scene that was encoded again, which knows no former answers; made once."""
        inputs = {name: array for name, array in self.inputs.items() if name != "PREVIOUS"}
        return replace(self, inputs=inputs, is_renewable=False)

    def attempts(self, persistence: Persistence, timeout: float) -> Attempts:
        """Those that it may take; to close is tried once, for the server forgets scenes by itself."""
        retries = 0 if self.action == "close" else persistence.retries
        return Attempts(retries, timeout, changes=self.action in _CHANGES)

    def views(self, part: Tensors) -> Iterator[ViewMasks]:
        """Reads one part of the answer to a click.

        Raises:
            SceneChangedError: the masks are of other photographs than the request.
            ServerError: a mask cannot be decoded.
        """
        if self.digests is not None and "IMAGE_DIGESTS" in part and _texts(part["IMAGE_DIGESTS"]) != self.digests:
            raise SceneChangedError(
                "another client has changed the scene's photographs; `describe` asks what they are now"
            )
        return views_of(part)


@dataclass(frozen=True, eq=False, repr=False)
class Kept:
    """What a scene can be encoded from again.

    Attributes:
        photographs: N files.
        geometry: the user's own, if any.
        timeout: seconds that the first encoding was allowed.
    """

    photographs: tuple[bytes, ...]
    geometry: Geometry | None
    timeout: float

    def inputs(self) -> Tensors:
        """Of the request to encode."""
        return {"IMAGES": np.array(self.photographs, object)} | geometry_tensors(self.geometry)

    def with_added(self, more: "Kept") -> "Kept":
        """With further photographs behind these."""
        geometry = None if self.geometry is None or more.geometry is None else self.geometry.followed_by(more.geometry)
        return Kept((*self.photographs, *more.photographs), geometry, self.timeout)

    def without(self, views: Iterable[int]) -> "Kept":
        """Without some photographs; the others close ranks."""
        gone = set(views)
        left = [view for view in range(len(self.photographs)) if view not in gone]
        geometry = None if self.geometry is None else self.geometry.of_views(left)
        return Kept(tuple(self.photographs[view] for view in left), geometry, self.timeout)


class SceneHandle:
    """Common to `Scene` and `AsyncScene`.

    Attributes:
        id: 32 hexadecimal digits; another after the scene was encoded again. Whoever knows it may use the scene.
        sizes: i32 [N, 2], (h, w) of the upright photographs; None until this handle has encoded, changed or described
            the scene.
        digests: N, SHA-256 of the photographs' files, hexadecimal; likewise.
        statistics: f32 [7], mean and deviation of the points and the confidence threshold; likewise.
        extra: the further outputs that were asked for, by name.
    """

    def __init__(self, scene_id: str, outputs: Sequence[str], persistence: Persistence) -> None:
        self._outputs, self._persistence = output_names(outputs), persistence
        self._kept: Kept | None = None
        if not isinstance(scene_id, str):
            raise InvalidRequestError(f"scene: {reprlib.repr(scene_id)} is no id; give the text in `Scene.id`")
        self.id = scene_id
        self.sizes: np.ndarray | None = None
        self.digests: tuple[str, ...] | None = None
        self.statistics: np.ndarray | None = None
        self.extra: dict[str, np.ndarray] = {}

    def __repr__(self) -> str:
        views = "" if self.sizes is None else f", {len(self.sizes)} views"
        return f"{type(self).__name__}({self.id!r}{views})"

    def check(self, images: Source, *, frames: int | None = None) -> None:
        """Compares photographs with those that the scene was encoded from, as `encode` or `describe` has told.

        Args:
            images: as for `Client.encode`.
            frames: likewise.

        Raises:
            InvalidRequestError: they are others, or in another order; the message names them.
        """
        if self.digests is None:
            raise InvalidRequestError("the scene's photographs are not known yet; call `describe` first")
        check_same(photographs(images, frames=frames), self.digests)

    def _want(self, outputs: Sequence[str]) -> None:
        self._outputs = output_names((*self._outputs, *output_names(outputs)))

    def _gather(self, prompts: Prompting) -> Prompts:
        return gather(lambda: self.sizes, **prompts)

    def _segmenting(self, prompts: Prompts, previous: "str | Segmentation | ViewMasks") -> SceneRequest:
        answer = _answer_of(previous)
        inputs = prompts.tensors() | {"ENCODING": text("rle")} | ({"PREVIOUS": text(answer)} if answer else {})
        outputs = ("VIEW", "MASKS", "SCORES", "AREAS", "ANSWER", *(["IMAGE_DIGESTS"] if self.digests else []))
        return SceneRequest("segment", inputs, outputs, is_renewable=True, digests=self.digests)

    def _preparing(self, action: str, inputs: Tensors) -> SceneRequest:
        """A request that makes, changes or describes the scene."""
        names = ("SCENE", "IMAGE_SIZES", "IMAGE_DIGESTS", "SCENE_STATISTICS", *self._outputs)
        return SceneRequest(action, inputs, tuple(dict.fromkeys(names)), is_renewable=action != "encode")

    def _settle(self, request: SceneRequest, answers: Sequence[Tensors], kept: Kept | None) -> None:
        """Takes the answer to a request that makes, changes or describes the scene."""
        if len(answers) != 1:
            raise ServerError(
                f"the server answered {request.action} {len(answers)} times; update the older of client and server"
            )
        answer = answers[0]
        self.id = answer["SCENE"][0].decode()
        self.sizes, self.statistics = answer["IMAGE_SIZES"], answer["SCENE_STATISTICS"]
        digests = _texts(answer["IMAGE_DIGESTS"])
        if request.action == "describe" and digests != self.digests:
            kept = (
                None  # another client has changed the scene, which cannot be encoded again from the former photographs
            )
        self.digests = digests
        self.extra = {name: answer[name] for name in self._outputs if name in answer}
        self._kept = kept if self._persistence.reencode else None


def kept(images: Source, frames: int | None, geometry: Geometry | None, timeout: float | None) -> Kept:
    """Photographs, read.

    Raises:
        InvalidRequestError: one cannot be, or the timeout is none.
    """
    seconds = checked_timeout(timeout)
    geometry_tensors(geometry)  # which is looked at before anything is sent
    return Kept(tuple(encode_images(photographs(images, frames=frames))), geometry, seconds)


def geometry_tensors(geometry: Geometry | None) -> Tensors:
    """Wire name → array; none without geometry."""
    return {} if geometry is None else instance(geometry, Geometry, "geometry", GEOMETRY_REMEDY).tensors()


def output_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """Names of further outputs, each once.

    Raises:
        InvalidRequestError: it is one name, or no names.
    """
    try:
        return tuple(dict.fromkeys(sequence_of(outputs, str, "outputs")))
    except InvalidRequestError:
        raise InvalidRequestError(
            f'outputs: {reprlib.repr(outputs)} is no list of names; give e.g. ["points"]'
        ) from None


def text(value: str) -> np.ndarray:
    """One string as a tensor."""
    return np.array([value.encode(errors="backslashreplace")], object)


def views_tensor(views: Sequence[int]) -> np.ndarray:
    """The tensor VIEWS: i32 [k].

    Raises:
        InvalidRequestError: they are no whole numbers.
    """
    array = as_array(views, "views")
    if array.ndim != 1 or (
        array.size and (array.dtype.kind not in "iu" or not 0 <= array.min() <= array.max() < 1 << 31)
    ):
        raise InvalidRequestError(
            f"views: {reprlib.repr(views)} are none; give a list of whole numbers from 0, such as [0, 2]"
        )
    return array.astype(np.int32)


def _answer_of(previous: "str | Segmentation | ViewMasks") -> str:
    """The id of an answer, of the answer itself too.

    Raises:
        InvalidRequestError: it is none, or the server does not keep its masks.
    """
    if isinstance(previous, str):
        return previous
    if not isinstance(previous, Segmentation | ViewMasks):
        raise InvalidRequestError(
            f"previous: an object of type {type(previous).__name__} is no answer; give the `answer` of a segmentation"
        )
    if not previous.answer:
        raise InvalidRequestError(
            "previous: the server does not keep these masks; refine those of `Scene.segment`, whose `answer` is set"
        )
    return previous.answer


def _texts(array: np.ndarray) -> tuple[str, ...]:
    return tuple(each.decode() for each in array)
