"""How long a server takes to encode a scene and to answer clicks on it."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mvsam_client.client import Client
from mvsam_client.errors import ServerError
from mvsam_client.prompts import Click
from mvsam_client.scene import Scene

SEED = 7


@dataclass(frozen=True)
class Latencies:
    """Seconds of calls of one kind.

    Attributes:
        seconds: of each, in their order.
    """

    seconds: tuple[float, ...]

    def figures(self) -> dict[str, float]:
        """Number of calls; percentiles, mean, least and most, in milliseconds."""
        milliseconds = 1000 * np.array(self.seconds)
        percentiles = {f"p{rank}": float(np.percentile(milliseconds, rank)) for rank in (50, 90, 99)}
        ends = {"mean": float(milliseconds.mean()), "min": float(milliseconds.min()), "max": float(milliseconds.max())}
        return {"calls": len(milliseconds), **percentiles, **ends}


@dataclass(frozen=True)
class Measured:
    """One server's.

    Attributes:
        encode: photographs to a scene.
        first_view: from a click to the first view's masks.
        click: from a click to all views' masks.
    """

    encode: Latencies
    first_view: Latencies
    click: Latencies


def measure(
    client: Client,
    photographs: Sequence[bytes],
    encodes: int,
    clicks: int,
    timeout: float,
    advance: Callable[[], None] = lambda: None,
) -> Measured:
    """Encodes the photographs a few times, then clicks on the last scene; one of each goes before, uncounted.

    Args:
        client: of the server.
        photographs: picture files.
        encodes: how often they are encoded.
        clicks: how many, one after the other, each a new one at a random place of a random view.
        timeout: seconds for each call.
        advance: called after every call, `steps(encodes, clicks)` times.

    Raises:
        MvsamError: as for `Client.encode` and `Scene.stream`.
    """
    encoded = []
    for _ in range(encodes):
        encoded.append(_timed_encode(client, photographs, timeout))
        advance()
    began = time.perf_counter()
    with client.encode(photographs, timeout=timeout) as scene:
        encoded.append(time.perf_counter() - began)
        advance()
        clicked = []
        for click in _clicks(scene, clicks + 1):
            clicked.append(_timed_click(scene, click, timeout))
            advance()
    first, last = zip(*clicked[1:], strict=True)
    return Measured(Latencies(tuple(encoded[1:])), Latencies(first), Latencies(last))


def steps(encodes: int, clicks: int) -> int:
    """How many calls `measure` makes: the uncounted ones too."""
    return encodes + clicks + 2


def generated(views: int, width: int, height: int) -> list[bytes]:
    """JPEG files of smooth colours, of the size of photographs rather than of noise.

    Args:
        views: how many.
        width: pixels.
        height: pixels.
    """
    rng = np.random.default_rng(SEED)
    files = []
    for _ in range(views):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def _timed_encode(client: Client, photographs: Sequence[bytes], timeout: float) -> float:
    began = time.perf_counter()
    scene = client.encode(photographs, timeout=timeout)
    seconds = time.perf_counter() - began
    scene.close()
    return seconds


def _timed_click(scene: Scene, click: Click, timeout: float) -> tuple[float, float]:
    began = time.perf_counter()
    times = [time.perf_counter() - began for _ in scene.stream(points=[click], timeout=timeout)]
    if not times:
        raise ServerError("the server answered a click with no view; update the older of client and server")
    return times[0], times[-1]


def _clicks(scene: Scene, number: int) -> Iterator[Click]:
    rng = np.random.default_rng(SEED)
    assert scene.sizes is not None, "it has just been encoded"
    for _ in range(number):
        view = int(rng.integers(len(scene.sizes)))
        height, width = scene.sizes[view]
        yield Click(view, float(rng.integers(width)), float(rng.integers(height)))
