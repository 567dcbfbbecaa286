"""What a handle of a scene knows, what it asks and how it reads the answers; nothing is sent here.

`Scene` and `AsyncScene` send it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mvsam_client.errors import ServerError
from mvsam_client.images import encode_images
from mvsam_client.prompts import Geometry
from mvsam_client.retries import Attempts, Persistence
from mvsam_client.sources import Source, photographs
from mvsam_client.vocabulary import Prompting, Prompts, gather
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
    """

    action: str
    inputs: Tensors = field(default_factory=dict)
    outputs: tuple[str, ...] = ("SCENE",)
    is_renewable: bool = False

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


@dataclass(frozen=True, eq=False)
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
        sizes: i32 [N, 2], (h, w) of the upright photographs; None until this handle has encoded or changed the scene.
        statistics: f32 [7], mean and deviation of the points and the confidence threshold; likewise.
        extra: the further outputs that were asked for, by name.
    """

    def __init__(self, scene_id: str, outputs: Sequence[str], persistence: Persistence) -> None:
        self._outputs, self._persistence = tuple(dict.fromkeys(outputs)), persistence
        self._kept: Kept | None = None
        self.id = scene_id
        self.sizes: np.ndarray | None = None
        self.statistics: np.ndarray | None = None
        self.extra: dict[str, np.ndarray] = {}

    def _gather(self, prompts: Prompting) -> Prompts:
        return gather(lambda: self.sizes, **prompts)

    def _segmenting(self, prompts: Prompts, previous: str) -> SceneRequest:
        inputs = prompts.tensors() | {"ENCODING": text("rle")} | ({"PREVIOUS": text(previous)} if previous else {})
        return SceneRequest("segment", inputs, ("VIEW", "MASKS", "SCORES", "AREAS", "ANSWER"), is_renewable=True)

    def _preparing(self, action: str, inputs: Tensors) -> SceneRequest:
        """A request that makes or changes the scene."""
        names = ("SCENE", "IMAGE_SIZES", "SCENE_STATISTICS", *self._outputs)
        return SceneRequest(action, inputs, tuple(dict.fromkeys(names)), is_renewable=action in _CHANGES)

    def _settle(self, request: SceneRequest, answers: Sequence[Tensors], kept: Kept | None) -> None:
        """Takes the answer to a request that makes or changes the scene."""
        if len(answers) != 1:
            raise ServerError(
                f"the server answered {request.action} {len(answers)} times; update the older of client and server"
            )
        answer = answers[0]
        self.id = answer["SCENE"][0].decode()
        self.sizes, self.statistics = answer["IMAGE_SIZES"], answer["SCENE_STATISTICS"]
        self.extra = {name: answer[name] for name in self._outputs if name in answer}
        self._kept = kept if self._persistence.reencode else None


def kept(images: Source, frames: int | None, geometry: Geometry | None, timeout: float) -> Kept:
    """Photographs, read.

    Raises:
        InvalidRequestError: one cannot be.
    """
    return Kept(tuple(encode_images(photographs(images, frames=frames))), geometry, timeout)


def geometry_tensors(geometry: Geometry | None) -> Tensors:
    """Wire name → array; none without geometry."""
    return {} if geometry is None else geometry.tensors()


def text(value: str) -> np.ndarray:
    """One string as a tensor."""
    return np.array([value.encode()], object)
