"""What a scene is asked for: refused before a scene goes for it, and given up when nobody waits any more."""

import io
import threading
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import BusyError, RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import Prompts
from mvsam.scenes.answers import Answers
from mvsam.scenes.cache import SceneCache
from mvsam.scenes.segmenting import Segmenting
from mvsam.scenes.service import SceneService
from tests.waiting import PATIENCE

ME = "me"
CLICK = Prompts.of([[[1, 1]]], [[1]], [[0]])
TWO_OBJECTS = Prompts.of([[[1, 1]], [[2, 2]]], [[1], [1]], [[0], [0]])


@dataclass
class Reply:
    """Of one request."""

    outputs: Set[str] = frozenset({"MASKS"})
    owner: str = ME
    cancelled: bool = False
    ended: list[Exception | None] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def send(self, tensors: Mapping[str, np.ndarray], last: bool = False) -> None:
        """Takes a part; the last one is the end."""
        if last:
            self.end()

    def end(self, error: Exception | None = None) -> None:
        self.ended.append(error)
        self.done.set()

    def is_cancelled(self) -> bool:
        return self.cancelled


class Encoder:
    """Encodes nothing until it is told to; each scene takes as many bytes as it says."""

    def __init__(self) -> None:
        self.size, self.begun, self.go_on = 10, threading.Event(), threading.Event()

    def estimate(self, photographs: Any, sizes: Any, geometry: Any) -> int:
        return self.size

    def geometry_size(self, sizes: Any, geometry: Any) -> tuple[int, int]:
        return 8, 12

    def encode(self, photographs: Any, sizes: Any, geometry: Any, known: Any, go_on: Any) -> Any:
        self.begun.set()
        self.go_on.wait(PATIENCE)
        raise BusyError("told to")


class Decoder:
    """Keeps clicks, unless all are too late."""

    def __init__(self) -> None:
        self.is_late, self.clicks = False, list[Any]()

    def check_patience(self, since: float) -> None:
        if self.is_late:
            raise BusyError("the click waited")

    def submit(self, click: Any) -> None:
        self.clicks.append(click)

    def close(self) -> None:
        """Ends nothing."""


@dataclass
class Made:
    """A service, what it stands on, and the id of a scene of 40 x 30 pixels in it."""

    service: SceneService
    encoder: Encoder
    decoder: Decoder
    cache: SceneCache
    scene: str


@pytest.fixture
def made() -> Iterator[Made]:
    cache, encoder, decoder = SceneCache(100, 3, ttl=1000), Encoder(), Decoder()
    given: Any = (encoder, decoder, cache, Answers(1000), Limits(max_objects=1, max_raw_bytes=1000))
    service = SceneService(*given, encodes=1, most_waiting=1)

    def lift(prompts: Prompts, go_on: Any) -> Any:
        go_on()
        return prompts

    def followed_by(more: Any) -> Any:
        raise AssertionError("nobody asks for it yet")

    geometry = SimpleNamespace(
        points=np.zeros((1, 8, 12, 3), np.float32), confidence=np.zeros((1, 8, 12)), followed_by=followed_by
    )
    scene: Any = SimpleNamespace(
        bytes=50,
        views=1,
        layout=SimpleNamespace(image_sizes=np.array([[40, 30]]), geometry_rects=None),
        normalized=SimpleNamespace(grid_points=np.zeros((1, 4, 4, 3)), lift=lift, statistics=None, geometry=geometry),
        digests=None,
        camera_poses=None,
        has_own_geometry=True,
        photographs=(b"",),
    )
    yield Made(service, encoder, decoder, cache, cache.put(scene, cache.reserve(50, ME), ME))
    encoder.go_on.set()
    service.shut_down()


@pytest.fixture(scope="module")
def photograph() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, "PNG")
    return file.getvalue()


def is_kept(made: Made) -> bool:
    return made.scene in made.cache._entries


def test_a_full_line_is_told_before_a_scene_goes_for_it(made: Made, photograph: bytes):
    made.service.encode([photograph], None, Reply())
    assert made.encoder.begun.wait(PATIENCE)
    made.service.encode([photograph], None, Reply())
    made.encoder.size = 70  # for which the scene would have to go
    with pytest.raises(BusyError, match="1 scenes wait to be encoded already"):
        made.service.encode([photograph], None, Reply())
    assert is_kept(made)


def test_what_failed_or_was_left_gives_its_room_back(made: Made, photograph: bytes):
    made.encoder.size = 50
    made.encoder.go_on.set()
    for reply in (Reply(), Reply(cancelled=True), Reply()):
        made.service.encode([photograph], None, reply)
        assert reply.done.wait(PATIENCE)
        assert [type(error) for error in reply.ended] == [type(None) if reply.cancelled else BusyError]
        assert is_kept(made)


@pytest.mark.parametrize(
    ("prompts", "encoding", "outputs", "says"),
    [
        (TWO_OBJECTS, MaskEncoding.RLE, {"MASKS"}, "POINTS: 2 objects, more than the 1 allowed"),
        (CLICK, MaskEncoding.RAW, {"MASKS"}, "masks in raw would have 1200 bytes, more than the 1000 allowed"),
        (CLICK, MaskEncoding.RLE, {"mask_logits"}, "mask_logits would have 1024 bytes, more than the 1000 allowed"),
    ],
)
def test_what_would_be_too_large_is_refused_before_it_is_computed(
    made: Made, prompts: Prompts, encoding: MaskEncoding, outputs: set[str], says: str
):
    with pytest.raises(RequestError, match=says):
        made.service.segment(made.scene, prompts, encoding, Reply(frozenset(outputs)))
    assert made.decoder.clicks == []
    made.cache.reserve(100, ME)  # the scene is not in use any more, and may go
    assert not is_kept(made)


def test_a_click_that_is_late_or_left_between_its_prompts_goes_no_further(made: Made):
    made.decoder.is_late = True
    late, left = Reply(), Reply(cancelled=True)
    made.service.segment(made.scene, CLICK, MaskEncoding.RLE, late)
    assert late.done.wait(PATIENCE) and isinstance(late.ended[0], BusyError)
    made.decoder.is_late = False
    made.service.segment(made.scene, CLICK, MaskEncoding.RLE, left)
    assert left.done.wait(PATIENCE) and left.ended == [None]
    assert made.decoder.clicks == []


def test_cancelled_encodes_leave_the_line_to_others(made: Made, photograph: bytes):
    made.service.encode([photograph], None, Reply())
    assert made.encoder.begun.wait(PATIENCE)
    left = Reply()
    made.service.encode([photograph], None, left)
    left.cancelled = True
    made.service.encode([photograph], None, Reply())
    assert left.done.wait(PATIENCE) and left.ended == [None]


def test_geometry_of_more_photographs_is_not_joined_before_its_turn(made: Made, photograph: bytes):
    for _ in range(2):
        made.service.encode([photograph], None, Reply())
        assert made.encoder.begun.wait(PATIENCE)
    more: Any = SimpleNamespace(points=None)
    with pytest.raises(BusyError, match="1 scenes wait"):
        made.service.add(made.scene, [photograph], more, Reply())


def test_a_change_that_is_cancelled_in_its_turn_joins_nothing_and_pushes_nothing_out(made: Made):
    made.encoder.size = 100
    left = Reply(cancelled=True)
    made.service._change(made.scene, made.cache.pin(made.scene, ME).scene, [b""], lambda: 1 / 0, left)  # type: ignore[arg-type]
    assert left.done.wait(PATIENCE) and left.ended == [None]
    assert is_kept(made)


@pytest.mark.parametrize(("most", "is_kept_too"), [(1000, False), (2000, True)])
def test_logits_that_would_not_be_kept_are_not_collected(made: Made, most: int, is_kept_too: bool):
    pin, outputs = made.cache.pin(made.scene, ME), frozenset({"ANSWER"})
    job = Segmenting(pin, CLICK, None, MaskEncoding.RLE, Reply(outputs), Answers(most))  # of 1024 bytes
    job._deliver(slice(0, 1), slice(0, 1), np.ones((1, 1, 16, 16), np.float32))
    assert bool(job._all) is is_kept_too


def test_pointmaps_that_are_too_large_are_refused_where_they_are_wanted(made: Made, photograph: bytes):
    wanted = frozenset({"points"})
    with pytest.raises(RequestError, match="1 views would have 1152 bytes, more than the 1000 allowed; leave them out"):
        made.service.describe(made.scene, Reply(wanted))
    with pytest.raises(RequestError, match="1 views would have 1152 bytes"):
        made.service.encode([photograph], None, Reply(wanted))
    for outputs, views in ((frozenset({"confidence"}), None), (wanted, [])):
        reply = Reply(outputs)
        made.service.describe(made.scene, reply, views)
        assert reply.done.wait(PATIENCE) and reply.ended == [None]
    with pytest.raises(RequestError, match="VIEWS names view 1 of 1"):
        made.service.describe(made.scene, Reply(), [1])
    with pytest.raises(RequestError, match="VIEWS names 1000 views of 1; name each once"):
        made.service.describe(made.scene, Reply(), [0] * 1000)
    made.cache.reserve(100, ME)  # the scene is not in use any more
    assert not is_kept(made)


def test_pointmaps_hold_up_no_click(made: Made):
    sent, go_on = threading.Event(), threading.Event()

    class Slow(Reply):
        def send(self, tensors: Mapping[str, np.ndarray], last: bool = False) -> None:
            sent.set()
            go_on.wait(PATIENCE)

    slow = Slow()
    made.service.describe(made.scene, slow)
    assert sent.wait(PATIENCE)
    left = Reply(cancelled=True)
    made.service.segment(made.scene, CLICK, MaskEncoding.RLE, left)
    assert left.done.wait(PATIENCE) and not slow.done.is_set()
    go_on.set()
