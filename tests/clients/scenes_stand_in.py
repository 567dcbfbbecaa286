"""A stand-in for the server that keeps scenes, loses them and refuses requests as a test says."""

import hashlib
import itertools
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import deserialize_bytes_tensor, triton_to_np_dtype

from tests.clients.conftest import coco_rle, messages, write_outputs
from tests.waiting import PATIENCE

GONE = "NOT_FOUND: SCENE: no scene has this id, or not any more; encode the photographs again"
BUSY = "UNAVAILABLE: 64 clicks are waiting already; try again in a second"
NOT_READY = "UNAVAILABLE: the service is not ready; try again in a few seconds"
CHANGED = "UNAVAILABLE: another request has changed the scene meanwhile; try again"
FORGOTTEN = "INVALID_ARGUMENT: PREVIOUS names no answer about this scene as it is now; leave it out"
UNREACHABLE = grpc.StatusCode.UNAVAILABLE
AFTER_ONE = "UNAVAILABLE after the first view"


@dataclass
class Scenes(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The service.

    Attributes:
        failures: what the next requests meet, one each: an error in the stream, or a status that ends it.
        kept: photographs by the scene's id.
        asked: action and inputs of every request.
        ended: set when a call is over; by `wait` it is not, unless it is cancelled.
        wait: what every answer waits for after its first part.
        forgetful: whether scenes are lost as soon as they are encoded.
    """

    url: str = ""
    failures: list[str | grpc.StatusCode] = field(default_factory=list)
    kept: dict[str, list[bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, np.ndarray]]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    wait: threading.Event | None = None
    forgetful: bool = False
    _ids: Iterator[int] = field(default_factory=itertools.count)

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self.asked]

    def ServerLive(self, request, context):  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    def ModelInfer(self, request, context):  # noqa: N802
        self.asked.append(("infer", {}))
        self._fail(context)
        outputs = self._masks(range(2), 1) | {"IMAGE_SIZES": np.array([(4, 6)] * 2, np.int32)}
        outputs.pop("VIEW")
        return write_outputs(request, outputs)

    def ModelStreamInfer(self, requests, context):  # noqa: N802
        context.add_callback(self.ended.set)
        for request in requests:
            inputs = read(request)
            action = inputs.pop("ACTION")[0].decode()
            self.asked.append((action, inputs))
            failure = self._fail(context)
            if failure in (BUSY, NOT_READY, CHANGED, GONE, FORGOTTEN):
                yield messages.ModelStreamInferResponse(error_message=failure)
                return
            scene = inputs["SCENE"][0].decode() if "SCENE" in inputs else ""
            if action != "encode" and scene not in self.kept:
                yield messages.ModelStreamInferResponse(error_message=GONE)
                return
            for outputs in getattr(self, f"_{action}")(scene, inputs):
                yield messages.ModelStreamInferResponse(infer_response=write_outputs(request, outputs))
                if self.wait:
                    self.wait.wait(2 * PATIENCE)
                if failure == AFTER_ONE:
                    context.abort(UNREACHABLE, "the connection is gone")

    def _fail(self, context):
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, grpc.StatusCode):
            context.abort(failure, "failed to connect to all addresses")
        return failure

    def _encode(self, scene, inputs):
        scene = f"{next(self._ids):032x}"
        if not self.forgetful:
            self.kept[scene] = inputs["IMAGES"].tolist()
        return self._described(scene, inputs["IMAGES"])

    def _add(self, scene, inputs):
        self.kept[scene] += inputs["IMAGES"].tolist()
        return self._described(scene, self.kept[scene])

    def _remove(self, scene, inputs):
        gone = set(inputs["VIEWS"].tolist())
        self.kept[scene] = [each for view, each in enumerate(self.kept[scene]) if view not in gone]
        return self._described(scene, self.kept[scene])

    def _describe(self, scene, inputs):
        return self._described(scene, self.kept[scene])

    def _close(self, scene, inputs):
        del self.kept[scene]
        yield {"SCENE": np.array([scene.encode()], object)}

    def _segment(self, scene, inputs):
        views = range(len(self.kept[scene]))
        for view in reversed(views):
            last = {"ANSWER": np.array([b"f" * 32], object), "IMAGE_DIGESTS": digests(self.kept[scene])}
            yield self._masks([view], len(inputs["POINTS"])) | ({} if view else last)

    @staticmethod
    def _masks(views, objects):
        mask = np.zeros((4, 6), bool)
        mask[1, 2:5] = True
        shape = objects, len(views)
        return {
            "VIEW": np.array(views, np.int32),
            "MASKS": np.full(shape, coco_rle(mask), object),
            "SCORES": np.full(shape, 0.5, np.float32),
            "AREAS": np.full(shape, 3, np.int64),
        }

    @staticmethod
    def _described(scene, photographs):
        yield {
            "SCENE": np.array([scene.encode()], object),
            "IMAGE_SIZES": np.array([(4, 6)] * len(photographs), np.int32),
            "IMAGE_DIGESTS": digests(photographs),
            "SCENE_STATISTICS": np.zeros(7, np.float32),
        }


def digests(photographs) -> np.ndarray:
    return np.array([hashlib.sha256(each).hexdigest().encode() for each in photographs], object)


def read(request) -> dict[str, np.ndarray]:
    inputs = {}
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        is_text = tensor.datatype == "BYTES"
        array = deserialize_bytes_tensor(raw) if is_text else np.frombuffer(raw, triton_to_np_dtype(tensor.datatype))
        inputs[tensor.name] = array.reshape(tuple(tensor.shape))
    return inputs


@contextmanager
def scenes_served() -> Iterator[Scenes]:
    """The stand-in on a free port."""
    scenes = Scenes()
    running = grpc.server(futures.ThreadPoolExecutor(8))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(scenes, running)
    scenes.url = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    running.start()
    try:
        yield scenes
    finally:
        running.stop(None).wait()
