"""Images of a COLMAP model: one reader, in the same file in the evaluation and in the client."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

_COUNT, _IMAGE = struct.Struct("<Q"), struct.Struct("<I7dI")
_KEYPOINT = 24  # bytes: x, y and a point's number
_KEYPOINTS = re.compile(rb"(?:\s*+[-+.\w]++\s++[-+.\w]++\s++-?\d++(?=\s|$))*+\s*+")  # the same in text
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ModelImage:
    """Where a photograph is: world to camera.

    Attributes:
        number: in the model.
        name: path of its file, relative to the images' folder, from the very bytes that the model has.
        quaternion: (w, x, y, z).
        translation: in the model's unit.
        camera: number in the model.
    """

    number: int
    name: str
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int


def read_binary_images(data: bytes) -> list[ModelImage]:
    """Returns the images in the order of `images.bin`.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        images, position = [], _COUNT.size
        for _ in range(_COUNT.unpack_from(data)[0]):
            number, *pose, camera = _IMAGE.unpack_from(data, position)
            end = data.index(b"\0", position + _IMAGE.size)
            images.append(_image(number, pose, camera, data[position + _IMAGE.size : end]))
            position = end + 1 + _COUNT.size + _KEYPOINT * _COUNT.unpack_from(data, end + 1)[0]
            if position > len(data):
                raise ValueError("it breaks off")
    except struct.error:
        raise ValueError("it breaks off") from None
    return images


def read_text_images(data: bytes) -> list[ModelImage]:
    """Returns the images in the order of `images.txt`, where a line of keypoints may follow each, or none.

    Raises:
        ValueError: a line is neither.
    """
    images: list[ModelImage] = []
    may_be_keypoints = False
    for line in data.removeprefix(_UTF8_MARK).splitlines():
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        if may_be_keypoints and _KEYPOINTS.fullmatch(line):
            may_be_keypoints = False
            continue
        number, *pose, camera, name = line.split(maxsplit=9)
        if len(pose) != 7:
            raise ValueError(f"an image's line has {len(pose) + 3} words in place of 10")
        images.append(_image(int(number), [float(each) for each in pose], int(camera), name.rstrip()))
        may_be_keypoints = True
    return images


def _image(number: int, pose: list[float], camera: int, name: bytes) -> ModelImage:
    return ModelImage(number, os.fsdecode(name), tuple(pose[:4]), tuple(pose[4:]), camera)
