"""A mask as bytes, and back."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from mvsam.pipeline.errors import RequestError, quoted


class MaskEncoding(Enum):
    """How masks travel."""

    RLE = "rle"  # COCO JSON: {"size": [h, w], "counts": "..."}
    PNG = "png"  # grey, 0 or 255
    PACKED = "packed"  # eight pixels a byte, row after row, the first pixel in the highest bit (numpy.packbits)
    RAW = "raw"  # a byte a pixel, row after row, 0 or 1

    @classmethod
    def of(cls, name: str | bytes) -> MaskEncoding:
        """The encoding of that name, in any case.

        Raises:
            RequestError: there is none.
        """
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        try:
            return cls(text.strip().lower())
        except ValueError:
            names = ", ".join(encoding.value for encoding in cls)
            raise RequestError(f"ENCODING is {quoted(text)}; give one of {names}") from None


def encode_mask(mask: np.ndarray, encoding: MaskEncoding) -> bytes:
    """Encodes a mask, bool [h, w]."""
    match encoding:
        case MaskEncoding.RLE:
            run_lengths: Any = coco.encode(np.asfortranarray(mask.view(np.uint8)))
            return json.dumps({"size": list(mask.shape), "counts": run_lengths["counts"].decode("ascii")}).encode(
                "ascii"
            )
        case MaskEncoding.PNG:
            return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()
        case MaskEncoding.PACKED:
            return np.packbits(mask).tobytes()
        case MaskEncoding.RAW:
            return mask.view(np.uint8).tobytes()


def decode_mask(data: bytes, encoding: MaskEncoding, size: tuple[int, int]) -> np.ndarray:
    """The mask, bool [h, w], of size (h, w), that was encoded."""
    match encoding:
        case MaskEncoding.RLE:
            return coco.decode(json.loads(data)).astype(bool)
        case MaskEncoding.PNG:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
            return np.asarray(image) > 0
        case MaskEncoding.PACKED:
            return np.unpackbits(np.frombuffer(data, np.uint8), count=size[0] * size[1]).reshape(size).astype(bool)
        case MaskEncoding.RAW:
            return np.frombuffer(data, np.uint8).reshape(size).astype(bool)
