"""Values of wrong types are refused in words that name the argument, by everything that a user calls."""

# pyright: reportArgumentType=false
import asyncio
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mvsam_client import (
    Annotator,
    AsyncClient,
    Box,
    Click,
    Client,
    Geometry,
    InvalidRequestError,
    MaskPrompt,
    Photograph,
    PointCloud,
    Scene,
    Segmentation,
    Tls,
    photographs,
)
from mvsam_client.outputs import save
from mvsam_client.sam2 import InferenceState, SAM2VideoPredictor
from tests.clients.scenes_stand_in import Scenes, scenes_served

NAN, INFINITE = float("nan"), float("inf")
MASK, POINTS = np.ones((4, 6), bool), np.zeros((2, 4, 6, 3))
ODD = (
    None,
    "",
    "a",
    b"1",
    1j,
    [],
    [None],
    [[1, 2], [3]],
    {},
    {"a": 1},
    object(),
    int,
    np.array(None),
    np.zeros((2, 2)),
)
NO_NUMBERS = (*ODD, True, "1", np.bool_(True), Click(0, 1, 1))
NO_WHOLE_NUMBERS = (*NO_NUMBERS, 1.0, 1.5, NAN, INFINITE, np.float32(1))
NO_VIEWS = (*NO_WHOLE_NUMBERS, 2**31, -(10**400))
NO_LISTS = (None, True, 1, 1.5, NAN, "a", "", b"1", {}, {"a": 1}, object(), int)
NO_NAMES = (*NO_LISTS, [1], [None], [b"a"], [["a"]])
NO_INSTANCES = (True, 1, NAN, "a", [1], {}, object(), np.zeros(3))
NO_PATHS = (True, 1, 1.5, b"x", [], {}, object(), "a\0b", np.zeros(3))
NO_PROMPTS = (*NO_LISTS, [None], ["a"], [1], [True], [object()], [[Click(0, 1, 1)]], [{"view": 0}])
NO_OBJECTS = (None, True, 1.5, NAN, "chair", [], {}, (1, 2))
CLICKS: Any = (
    *([Click(0, 1, 1, object=wrong)] for wrong in NO_OBJECTS),
    [Click(0, 1, 1), Click(0, 1, 1, object="chair")],
    *([Click(wrong, 1, 1)] for wrong in (None, True, 1.5, "0", [])),
    *([Click(0, 1, wrong)] for wrong in (None, True, "1", [])),
    *([Click(0, 1, 1, wrong)] for wrong in (None, 2, -1, 0.5, "yes", [])),
)
BOXES: Any = (
    [Click(0, 1, 1)],
    [MaskPrompt(0, MASK)],
    *([Box(0, 0, 0, 3, 3, wrong)] for wrong in NO_OBJECTS),
    *([Box(0, 0, wrong, 3, 3)] for wrong in (None, True, "1", [])),
)
MASKS: Any = (
    [Click(0, 1, 1)],
    [Box(0, 0, 0, 3, 3)],
    *([MaskPrompt(0, MASK, wrong)] for wrong in NO_OBJECTS),
    *([MaskPrompt(wrong, MASK)] for wrong in (None, True, 1.5, "0", [])),
)


@dataclass
class World:
    """What the calls are made on.

    Attributes:
        files: two photographs.
        folder: to be written into.
    """

    client: Client
    scene: Scene
    state: InferenceState
    predictor: SAM2VideoPredictor
    result: Segmentation
    files: list[bytes]
    folder: Path
    server: Scenes

    @property
    def annotator(self) -> Annotator:
        """One with a prompt of each kind."""
        made = Annotator(self.scene)
        made.add_click(0, 1, 1)
        made.add_box(0, 0, 0, 3, 3)
        made.add_mask(0, MASK)
        return made


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG")
    files = [buffer.getvalue()] * 2
    with scenes_served() as server, Client(server.url) as client, client.encode(files) as scene:
        predictor = SAM2VideoPredictor(client)
        state = predictor.init_state(files)
        result = scene.segment(points=[Click(0, 1, 1)])
        yield World(client, scene, state, predictor, result, files, tmp_path_factory.mktemp("out"), server)


Call = Callable[[World, Any], object]
CALLS: dict[str, tuple[Call, tuple[Any, ...], str]] = {
    "Client.tls": (lambda w, v: Client(w.client.url, tls=v), NO_INSTANCES, "tls"),
    "Client.token": (lambda w, v: Client(w.client.url, token=v), (True, 1, b"a", [], np.zeros(3)), "token"),
    "AsyncClient.tls": (lambda w, v: AsyncClient(w.client.url, tls=v), NO_INSTANCES, "tls"),
    "Tls.authority": (lambda w, v: Tls(v).credentials(), NO_PATHS, "tls: authority"),
    "Tls.certificate": (lambda w, v: Tls(None, v, "key.pem").credentials(), NO_PATHS, "tls: certificate"),
    "photographs": (lambda w, v: photographs(v), (None, True, 1, NAN, {}, {"a": 1}, np.array(None), "a\0b"), "images"),
    "photographs, a long name": (lambda w, v: photographs(v), ("x" * 300,), "there is no such file"),
    "photographs.frames": (lambda w, v: w.client.encode(w.files, frames=v), (*NO_WHOLE_NUMBERS[1:], 0, -2), "frames"),
    "an image": (
        lambda w, v: w.client.encode([v]),
        (None, 1, NAN, {}, "a\0b", np.zeros((2, 2)), Image.new("RGB", (0, 0)), Image.new("RGB", (0, 3))),
        "photograph 0",
    ),
    "Photograph.encoded": (lambda w, v: w.client.encode([Photograph("a", v)]), (None, 1, "a", []), "photograph 0"),
    "outputs": (lambda w, v: w.client.segment(w.files, points=[[1, 1]], outputs=v), NO_NAMES, "outputs"),
    "Client.geometry": (lambda w, v: w.client.encode(w.files, geometry=v), NO_INSTANCES, "geometry"),
    "Scene.add.geometry": (lambda w, v: w.scene.add(w.files, geometry=v), NO_INSTANCES, "geometry"),
    "Geometry.points": (lambda w, v: w.client.encode(w.files, geometry=Geometry(v)), (*ODD, 10**400), "points"),
    "Geometry.confidence": (lambda w, v: Geometry(POINTS, v).tensors(), ("a", [1], {}, object(), MASK), "confidence"),
    "Geometry.valid": (lambda w, v: Geometry(POINTS, valid=v).tensors(), ([[1, 2], [3]], 1, MASK), "valid"),
    "Geometry.followed_by": (lambda w, v: Geometry(POINTS).followed_by(v), (None, *NO_INSTANCES), "geometry"),
    "Geometry.of_views": (lambda w, v: Geometry(POINTS).of_views(v), (*NO_LISTS, [1.5], [2], [-1], ["a"]), "view"),
    "points": (lambda w, v: w.client.segment(w.files, points=v), (*ODD[:-1], *NO_PROMPTS, *CLICKS), "p"),
    "points of a scene": (lambda w, v: w.scene.segment(points=v), CLICKS, "points"),
    "boxes": (lambda w, v: w.scene.segment(boxes=v), (*NO_PROMPTS, *BOXES), "boxes"),
    "masks": (lambda w, v: w.scene.segment(masks=v), (*NO_PROMPTS, *MASKS), "masks"),
    "a mask": (
        lambda w, v: w.scene.segment(masks=[MaskPrompt(0, v)]),
        (None, 1, [[1]], {}, object(), "a\0b"),
        "mask 0",
    ),
    "view": (lambda w, v: w.scene.segment(points=[[1, 1]], view=v), NO_VIEWS, "view"),
    "view of a box": (lambda w, v: w.client.scene("a").segment(box=[0, 0, 3, 3], view=v), NO_VIEWS, "view"),
    "object_id": (lambda w, v: w.scene.segment(points=[[1, 1]], object_id=v), NO_WHOLE_NUMBERS, "object_id"),
    "box": (lambda w, v: w.scene.segment(box=v), ODD[1:], "box"),
    "mask": (lambda w, v: w.scene.segment(mask=v), ODD[1:], "mask"),
    "labels": (lambda w, v: w.scene.segment(points=[[1, 1]], labels=v), (*ODD[1:], 2, NAN), "labels"),
    "previous": (lambda w, v: w.scene.segment(points=[[1, 1]], previous=v), (None, *NO_INSTANCES[:2]), "previous"),
    "Scene.remove": (lambda w, v: w.scene.remove(v), (*NO_LISTS, [True], [NAN], [-1], [10**400]), "views"),
    "Annotator.scene": (lambda w, v: Annotator(v), (None, *NO_INSTANCES), "scene"),
    "add_click.view": (lambda w, v: w.annotator.add_click(v, 1, 1), NO_VIEWS, "view"),
    "add_click.x": (lambda w, v: w.annotator.add_click(0, v, 1), NO_NUMBERS, "click: x"),
    "add_click, nowhere": (lambda w, v: w.annotator.add_click(0, v, 1), (NAN, INFINITE, 10**400, -0.6), "points"),
    "add_click.positive": (lambda w, v: w.annotator.add_click(0, 1, 1, positive=v), (*ODD, 2, -1), "positive"),
    "add_click.object_id": (lambda w, v: w.annotator.add_click(0, 1, 1, object_id=v), NO_WHOLE_NUMBERS, "object"),
    "add_box.view": (lambda w, v: w.annotator.add_box(v, 0, 0, 3, 3), NO_VIEWS, "view"),
    "add_box.x1": (lambda w, v: w.annotator.add_box(0, 0, 0, v, 3), (*NO_NUMBERS, NAN, INFINITE, 10**400), "box"),
    "add_box.object_id": (lambda w, v: w.annotator.add_box(0, 0, 0, 3, 3, object_id=v), NO_WHOLE_NUMBERS, "object"),
    "add_mask.view": (lambda w, v: w.annotator.add_mask(v, MASK), NO_VIEWS, "view"),
    "add_mask.mask": (lambda w, v: w.annotator.add_mask(0, v), ODD, "mask"),
    "add_mask.object_id": (lambda w, v: w.annotator.add_mask(0, MASK, object_id=v), NO_WHOLE_NUMBERS, "object"),
    "remove_click.index": (lambda w, v: w.annotator.remove_click(v), NO_WHOLE_NUMBERS, "index"),
    "remove_click.object_id": (lambda w, v: w.annotator.remove_click(object_id=v), NO_WHOLE_NUMBERS, "object_id"),
    "remove_box.view": (lambda w, v: w.annotator.remove_box(v), NO_VIEWS, "view"),
    "remove_mask.view": (lambda w, v: w.annotator.remove_mask(v), NO_VIEWS, "view"),
    "remove_object": (lambda w, v: w.annotator.remove_object(v), NO_WHOLE_NUMBERS, "object_id"),
    "SAM2.client": (lambda w, v: SAM2VideoPredictor(v), (None, *NO_INSTANCES), "client"),
    "SAM2.state": (lambda w, v: w.predictor.add_new_points_or_box(v, 0, 1, [[1, 1]], [1]), NO_INSTANCES, "state"),
    "SAM2.mask.state": (lambda w, v: w.predictor.add_new_mask(v, 0, 1, MASK), NO_INSTANCES, "state"),
    "SAM2.propagate.state": (lambda w, v: list(w.predictor.propagate_in_video(v)), NO_INSTANCES, "state"),
    "SAM2.clear.state": (lambda w, v: w.predictor.clear_all_prompts_in_frame(v, 0, 1), NO_INSTANCES, "state"),
    "SAM2.reset.state": (lambda w, v: w.predictor.reset_state(v), NO_INSTANCES, "state"),
    "SAM2.remove.state": (lambda w, v: w.predictor.remove_object(v, 1), NO_INSTANCES, "state"),
    "SAM2.frame": (
        lambda w, v: w.predictor.add_new_points_or_box(w.state, v, 1, [[1, 1]], [1]),
        (*NO_WHOLE_NUMBERS, -1, 2),
        "frame_idx",
    ),
    "SAM2.object": (
        lambda w, v: w.predictor.add_new_points_or_box(w.state, 0, v, [[1, 1]], [1]),
        NO_WHOLE_NUMBERS,
        "obj_id",
    ),
    "SAM2.mask.object": (lambda w, v: w.predictor.add_new_mask(w.state, 0, v, MASK), NO_WHOLE_NUMBERS, "obj_id"),
    "SAM2.clear.object": (
        lambda w, v: w.predictor.clear_all_prompts_in_frame(w.state, 0, v),
        NO_WHOLE_NUMBERS,
        "obj_id",
    ),
    "SAM2.remove.object": (lambda w, v: w.predictor.remove_object(w.state, v), NO_WHOLE_NUMBERS, "obj_id"),
    "result.png.view": (lambda w, v: w.result.png(v), (*NO_VIEWS, -1, 2), "view"),
    "result.png.object": (lambda w, v: w.result.png(0, v), (*NO_WHOLE_NUMBERS[1:], 5), "object_id"),
    "result.sam_dicts": (lambda w, v: w.result.sam_dicts(v), NO_VIEWS, "view"),
    "result.coco": (lambda w, v: w.result.coco(v), NO_NAMES, "names"),
    "result.point_cloud": (lambda w, v: w.result.point_cloud(v, {}), (*NO_INSTANCES, None), ""),
    "result.point_cloud.outputs": (lambda w, v: w.result.point_cloud(w.files, v), (True, 1, "a", [1]), "outputs"),
    "PointCloud": (lambda w, v: PointCloud(v, np.zeros((3, 3), np.uint8)), (*ODD, 10**400), "positions"),
    "save.directory": (lambda w, v: save(v, w.result, w.files, ["a", "b"]), (None, 3, b"x", []), "directory"),
    "save.images": (lambda w, v: save(w.folder, w.result, v, ["a", "b"]), NO_LISTS, "images"),
    "save.names": (lambda w, v: save(w.folder, w.result, w.files, v), NO_NAMES, "names"),
    "save.points": (lambda w, v: save(w.folder, w.result, w.files, ["a", "b"], points=v), NO_PROMPTS, "points"),
    "save.boxes": (
        lambda w, v: save(w.folder, w.result, w.files, ["a", "b"], boxes=v),
        (*NO_PROMPTS, *BOXES, [Box(0, 0, 0, 3, 3, object=9)]),
        "boxes",
    ),
}


@pytest.mark.parametrize(("call", "wrong", "name"), CALLS.values(), ids=CALLS.keys())
def test_a_wrong_value_is_named_and_nothing_is_asked_of_the_server(world: World, call: Call, wrong, name):
    asked = len(world.server.asked)
    for value in wrong:
        with pytest.raises(InvalidRequestError) as refused:
            call(world, value)
            pytest.fail(f"{value!r} was taken")
        message = str(refused.value)
        assert name in message and "\n" not in message and len(message) < 500, (value, message)
    assert len(world.server.asked) == asked, "nothing was sent"


def test_the_asynchronous_client_checks_alike(world):
    async def asked(value: Any) -> None:
        async with AsyncClient(world.client.url) as client:
            await client.scene(world.scene.id).segment(points=[Click(0, 1, 1, object=value)])

    for value in NO_OBJECTS:
        with pytest.raises(InvalidRequestError, match=r"points: object: .* is no whole number"):
            asyncio.run(asked(value))


def test_numbers_of_numpy_are_numbers(world):
    click = Click(np.int64(1), np.float32(1.5), np.int8(2), np.bool_(True), np.uint16(7))  # pyright: ignore
    assert world.scene.segment(points=[click], boxes=[Box(0, 0, 0, 3, 3, object=7)]).object_ids == (7,)
    annotator = Annotator(world.scene)
    annotator.add_click(np.int64(1), np.float32(-0.5), 2, object_id=np.int32(7))  # pyright: ignore
    annotator.add_click(1, 1, 2, object_id=7)
    assert annotator.clicks == (Click(1, -0.5, 2, True, 7), Click(1, 1, 2, True, 7)) and list(annotator.segment()) == [
        7
    ]
    annotator.remove_click(np.int64(0), object_id=np.int64(7))  # pyright: ignore
    assert len(annotator.clicks) == 1 and type(annotator.object_ids[0]) is int
