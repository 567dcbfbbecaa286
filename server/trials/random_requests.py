"""Requests made from a seed: one that would be granted, and changes to it that mean nothing, or harm."""

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from server.trials.odd_files import odd_files

messages: Any = service_pb2
Tensors = dict[str, np.ndarray]

WIDTH, SIDE = 16, 12  # pixels of the photograph


def painted(height: int) -> bytes:
    """A mask prompt, its upper half painted."""
    file = io.BytesIO()
    mask = np.zeros((height, WIDTH), np.uint8)
    mask[: height // 2] = 255
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


SMALL = [data for _, data in odd_files() if len(data) < 5000]
NUMBERS = [0.0, -1.0, 0.5, 1e9, -1e38, 1e-40, float("nan"), float("inf"), float("-inf"), 2.0**31, 15.999]
WHOLE = [0, 1, 2, -1, -2, 3, 99, 2**31 - 1, -(2**31)]
MASK = painted(SIDE)
WORDS = ["", "encode", "segment", "close", "../../x", "\x00", "0" * 32, "rle", "png", "raw", "é" * 50, "x" * 10_000]
MODELS = ["mvsam", "mvsam_pointmap", "mvsam_scene", "pi3", "postprocess", "", "../mvsam", "mvsam_scene/1"]
ACTIONS = ["encode", "segment", "add", "remove", "describe", "close"]
PARAMETERS = [
    "classification",
    "binary_data",
    "triton_enable_empty_final_response",
    "timeout",
    "sequence_id",
    "shared_memory_region",
    "TRITON_x",
    "/etc/passwd",
    "",
]
COUNTS = [0, 1, 2, -1, 2**40, -(2**63)]


def random_request(seed: int, photograph: bytes, scene: str, thrown_away: str, answer: str) -> Any:
    """One that would be granted, and up to four changes to it.

    Args:
        seed: decides everything.
        photograph: of 16×12 pixels.
        scene: id of one that is there; never changed or closed.
        thrown_away: of one that may be.
        answer: about one object of the former.
    """
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    model = rng.choice(MODELS) if rng.random() < 0.05 else rng.choice(MODELS[:3])
    tensors = random_tensors(rng, noise, photograph)
    if model == "mvsam_scene":
        action = rng.choice(ACTIONS if rng.random() < 0.9 else WORDS)
        tensors["ACTION"] = _strings(action.encode())
        if rng.random() < 0.9:
            known = scene if action == "segment" else thrown_away
            tensors["SCENE"] = _strings((known if rng.random() < 0.7 else rng.choice(WORDS)).encode())
        if rng.random() < 0.3:
            tensors["PREVIOUS"] = _strings((answer if rng.random() < 0.7 else rng.choice(WORDS)).encode())
        if action == "remove" or rng.random() < 0.1:
            tensors["VIEWS"] = np.array(rng.choices([0, 1, *WHOLE], k=rng.randint(0, 2)), np.int32)
        if rng.random() < 0.7:
            tensors.pop("IMAGES" if action == "segment" else "POINTS", None)
    if model != "mvsam_pointmap" and rng.random() < 0.8:
        for name in ("points", "confidence", "VALID"):
            tensors.pop(name, None)
    known = (
        ["SCENE", "VIEW", "MASKS", "mask_logits", "ANSWER"]
        if model == "mvsam_scene"
        else ["MASKS", "SCORES", "IMAGE_SIZES"]
    )
    outputs = rng.sample(known, rng.randint(1, 3)) if rng.random() < 0.95 else [rng.choice(WORDS)]
    if rng.random() < 0.02:
        outputs *= 2
    message = _message(model, tensors, outputs)
    if rng.random() < 0.05:
        _set_parameter(rng, rng.choice([message, *message.inputs]))
    elif rng.random() < 0.1:
        _set_parameter(rng, rng.choice(message.outputs))
    return _mangled(rng, message)


def random_tensors(rng: random.Random, noise: np.random.Generator, photograph: bytes) -> Tensors:
    """Photographs, prompts and geometry, some of it changed so that it means nothing."""
    views, objects, clicks = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 4)
    tensors: Tensors = {
        "IMAGES": _strings(*[photograph] * views),
        "POINTS": noise.uniform(0, SIDE - 1, (objects, clicks, 2)).astype(np.float32),
        "POINT_LABELS": np.ones((objects, clicks), np.int32),
        "POINT_VIEWS": noise.integers(0, views, (objects, clicks), np.int32),
    }
    if rng.random() < 0.5:
        tensors["points"] = noise.normal(size=(views, 6, 8, 3)).astype(np.float32)
        tensors["confidence"] = noise.random((views, 6, 8), np.float32)
        tensors["VALID"] = noise.random((views, 6, 8)) < 0.98
    if rng.random() < 0.4:
        tensors["BOXES"] = np.array([[2, 2, 9, 9]], np.float32)
        tensors["BOX_OBJECTS"] = tensors["BOX_VIEWS"] = np.zeros(1, np.int32)
    if rng.random() < 0.4:
        tensors["PROMPT_MASKS"] = _strings(MASK)
        tensors["MASK_OBJECTS"] = tensors["MASK_VIEWS"] = np.zeros(1, np.int32)
    if rng.random() < 0.3:
        tensors["ENCODING"] = _strings(rng.choice(["rle", "packed", *WORDS]).encode())
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 4])):
        name = rng.choice(list(tensors))
        changed = rng.choice(CHANGES)(rng, tensors[name], photograph)
        if changed is None:
            del tensors[name]
        else:
            tensors[name] = changed
    return tensors


def _changed_values(rng: random.Random, array: np.ndarray, photograph: bytes) -> np.ndarray:
    array = array.copy()
    if not array.size:
        return array
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(array.size)
        if array.dtype == object:
            array.flat[place] = _changed_file(rng, photograph)
        elif array.dtype.kind == "f":
            with np.errstate(over="ignore"):  # an infinity, where the type has no such number
                array.flat[place] = rng.choice(NUMBERS)
        elif array.dtype.kind == "i":
            array.flat[place] = min(rng.choice(WHOLE), np.iinfo(array.dtype).max)
    return array


def _changed_file(rng: random.Random, photograph: bytes) -> bytes:
    match rng.randrange(4):
        case 0:
            return rng.choice(SMALL)
        case 1:
            return photograph[: rng.randrange(len(photograph))]
        case 2:
            return rng.randbytes(rng.randrange(400))
    data = bytearray(photograph)
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _other_shape(rng: random.Random, array: np.ndarray, photograph: bytes) -> np.ndarray:
    shape = list(array.shape) or [1]
    side = rng.randrange(len(shape))
    match rng.randrange(4):
        case 0:
            shape[side] += rng.choice([1, 2, 9])
        case 1:
            shape[side] = max(0, shape[side] - 1)
        case 2:
            shape[side] = 0
        case _:
            shape.insert(side, 1)
    return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)


def _other_type(rng: random.Random, array: np.ndarray, photograph: bytes) -> np.ndarray:
    if array.dtype == object:
        return np.zeros(array.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num(array, posinf=0, neginf=0).astype(
            rng.choice([np.float16, np.float64, np.int64, np.uint8, bool])
        )


def _left_out(rng: random.Random, array: np.ndarray, photograph: bytes) -> None:
    return None


def _all_alike(rng: random.Random, array: np.ndarray, photograph: bytes) -> np.ndarray:
    return array if array.dtype == object else np.full_like(array, rng.choice([0, 1, -1]) if array.dtype != bool else 0)


CHANGES: list[Callable[[random.Random, np.ndarray, bytes], np.ndarray | None]] = [
    _changed_values,
    _changed_values,
    _other_shape,
    _other_type,
    _left_out,
    _all_alike,
]


def _message(model: str, tensors: Tensors, outputs: list[str]) -> Any:
    message = messages.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        kind = np_to_triton_dtype(array.dtype) or "FP32"
        message.inputs.add(name=name, datatype=kind, shape=array.shape)
        encoded = serialize_byte_tensor(array) if kind == "BYTES" else None
        message.raw_input_contents.append(
            array.tobytes() if kind != "BYTES" else encoded.item() if encoded is not None and array.size else b""
        )
    for name in outputs:
        message.outputs.add(name=name)
    return message


def _set_parameter(rng: random.Random, holder: Any) -> None:
    """A parameter of a request, an input or an output; half of them ask for classes."""
    if rng.random() < 0.5:
        holder.parameters["classification"].int64_param = rng.choice([1, 1, 2, *COUNTS])
        return
    parameter = holder.parameters[rng.choice(PARAMETERS)]
    match rng.randrange(4):
        case 0:
            parameter.string_param = rng.choice(WORDS)
        case 1:
            parameter.bool_param = rng.random() < 0.5
        case 2:
            parameter.double_param = rng.choice(NUMBERS)
        case _:
            parameter.int64_param = rng.choice(COUNTS)


def _mangled(rng: random.Random, message: Any) -> Any:
    """A third of the messages lie about their tensors, or say things that are not for clients."""
    if rng.random() > 0.33 or not message.inputs:
        return message
    place = rng.randrange(len(message.inputs))
    tensor = message.inputs[place]
    match rng.randrange(10):
        case 0:
            tensor.shape.append(rng.choice([2**62, 2**32, -1, 0, 3]))
        case 1:
            tensor.datatype = rng.choice(["FP32", "BYTES", "INT64", "FLOAT", "", "BF16"])
        case 2:
            message.raw_input_contents[place] = message.raw_input_contents[place][:-1]
        case 3:
            message.raw_input_contents[place] = rng.randbytes(rng.randrange(100))
        case 4:
            message.inputs.add().CopyFrom(tensor)
            message.raw_input_contents.append(message.raw_input_contents[place])
        case 5:
            tensor.name = rng.choice(["", "points", "IMAGES", "x" * 1000, "/etc/passwd"])
        case 6:
            tensor.parameters["shared_memory_region"].string_param = "triton"
            tensor.parameters["shared_memory_byte_size"].int64_param = rng.choice([1, 2**40])
        case 7:
            message.parameters[rng.choice(["sequence_id", "priority", "timeout"])].int64_param = rng.choice([1, 2**40])
        case 8:
            del message.raw_input_contents[:]
            tensor.contents.fp32_contents.extend([1.0] * rng.randrange(9))
        case _:
            message.model_version = rng.choice(["1", "2", "x", "../1"])
    return message


def _strings(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array
