"""A stand-in for the inference server: it speaks KServe v2, checks what it receives and answers with masks."""

import json
import struct
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam_client.images import upright

# Any: its classes are made at import, where type checkers cannot see them.
messages: Any = service_pb2

FRAME = (20, 28)

# name → (data type, rank): the wire contract of the ensembles.
CONTRACT = {
    "IMAGES": ("BYTES", 1),
    "POINTS": ("FP32", 3),
    "POINT_LABELS": ("INT32", 2),
    "POINT_VIEWS": ("INT32", 2),
    "BOXES": ("FP32", 2),
    "BOX_OBJECTS": ("INT32", 1),
    "BOX_VIEWS": ("INT32", 1),
    "PROMPT_MASKS": ("BYTES", 1),
    "MASK_OBJECTS": ("INT32", 1),
    "MASK_VIEWS": ("INT32", 1),
    "ENCODING": ("BYTES", 1),
    "points": ("FP32", 4),
    "confidence": ("FP32", 3),
    "VALID": ("BOOL", 3),
}
REQUIRED = {"IMAGES", "POINTS", "POINT_LABELS", "POINT_VIEWS"}
NUMERIC = {"FP32": np.float32, "INT32": np.int32, "INT64": np.int64, "BOOL": np.bool_}


@dataclass
class FakeServer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers every request with `expected_mask`, or as `behaviour` says."""

    url: str = ""
    model: str = ""
    received: dict[str, np.ndarray] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)
    calls: int = 0
    behaviour: Callable[[dict[str, np.ndarray], grpc.ServicerContext], None] | None = None
    finds_nothing: bool = False
    withheld: str = ""
    replaced: dict[str, np.ndarray] = field(default_factory=dict)

    def ServerLive(self, request, context):  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    def ServerMetadata(self, request, context):  # noqa: N802
        return messages.ServerMetadataResponse(name="stand-in", version="1.2.3")

    def ModelInfer(self, request, context):  # noqa: N802
        self.calls += 1
        self.model = request.model_name
        self.requested = [output.name for output in request.outputs]
        try:
            self.received = read_inputs(request)
        except AssertionError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"stand-in: {error}")
        if self.behaviour:
            self.behaviour(self.received, context)
        answer = self.answer(self.received) | self.replaced
        answer.pop(self.withheld, None)
        return write_outputs(request, {name: answer[name] for name in self.requested if name in answer})

    @staticmethod
    def expected_mask(view: int, height: int, width: int) -> np.ndarray:
        """The rectangle that the stand-in finds in a view; it differs from view to view and is not square."""
        mask = np.zeros((height, width), bool)
        mask[height // 4 : height // 2 + view, width // 3 : width // 3 + 5 + view] = True
        return mask

    def answer(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        views, objects = len(tensors["IMAGES"]), len(tensors["POINTS"])
        sizes = np.array([upright(image).shape[:2] for image in tensors["IMAGES"]], np.int32)
        masks = [self.expected_mask(view, int(h), int(w)) for view, (h, w) in enumerate(sizes)]
        if self.finds_nothing:
            masks = [np.zeros_like(mask) for mask in masks]
        encoded = [coco_rle(mask) for mask in masks]
        rng = np.random.default_rng(0)
        height, width = FRAME
        return {
            "IMAGE_SIZES": sizes,
            "MASKS": np.array([encoded] * objects, object),
            "SCORES": np.linspace(0.5, 0.9, objects * views, dtype=np.float32).reshape(objects, views),
            "AREAS": np.array([[mask.sum() for mask in masks]] * objects, np.int64),
            "points": rng.normal(size=(views, height, width, 3)).astype(np.float32),
            "confidence": rng.uniform(0.1, 0.9, (views, height, width)).astype(np.float32),
            "GEOMETRY_RECTS": np.array([[0, 0, width, height]] * views, np.float32),
        }


def coco_rle(mask: np.ndarray) -> bytes:
    run: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return json.dumps({"size": mask.shape, "counts": run["counts"].decode()}).encode()


def read_inputs(request) -> dict[str, np.ndarray]:
    tensors = {}
    assert len(request.inputs) == len(request.raw_input_contents), "an input without its raw content"
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True):
        assert tensor.name in CONTRACT, f"unknown input {tensor.name}"
        data_type, rank = CONTRACT[tensor.name]
        assert (tensor.datatype, len(tensor.shape)) == (data_type, rank), (
            f"{tensor.name} is not {data_type} rank {rank}"
        )
        if data_type == "BYTES":
            values = []
            while raw:
                (length,) = struct.unpack("<I", raw[:4])
                values.append(raw[4 : 4 + length])
                raw = raw[4 + length :]
            array = np.array(values, object)
        else:
            array = np.frombuffer(raw, NUMERIC[data_type])
        tensors[tensor.name] = array.reshape(tuple(tensor.shape))
    assert tensors.keys() >= REQUIRED, f"missing {REQUIRED - tensors.keys()}"
    assert tensors["POINTS"].shape == (*tensors["POINT_LABELS"].shape, 2), "POINTS do not match POINT_LABELS"
    assert tensors["POINT_VIEWS"].shape == tensors["POINT_LABELS"].shape, "POINT_VIEWS do not match POINT_LABELS"
    return tensors


def write_outputs(request, answer: dict[str, np.ndarray]):
    response = messages.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
    names = {np.dtype(kind): name for name, kind in NUMERIC.items()} | {np.dtype(object): "BYTES"}
    for name, array in answer.items():
        response.outputs.add(name=name, datatype=names[array.dtype], shape=array.shape)
        raw = array.tobytes()
        if array.dtype == object:
            raw = b"".join(struct.pack("<I", len(value)) + value for value in array.ravel())
        response.raw_output_contents.append(raw)
    return response


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    running = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, running)
    fake.url = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    running.start()
    yield fake
    running.stop(None).wait()


@pytest.fixture
def photographs(tmp_path):
    """Three photographs of different sizes; the second is stored lying on its side (EXIF orientation 6)."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(1)
    paths = []
    for view, (height, width) in enumerate([(60, 80), (48, 64), (50, 50)]):
        picture = Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 6 if view == 1 else 1
        paths.append(folder / f"image {view}.jpg")
        picture.save(paths[-1], exif=exif)
    return paths
