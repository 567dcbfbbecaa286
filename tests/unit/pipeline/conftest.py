"""Small pictures, prompts and scenes for the pipeline's tests."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.request import Geometry, Prompts


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """An array or Pillow image to the bytes of a file."""

    def encoded(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture
def photograph(encode: Callable[..., bytes], rng: np.random.Generator) -> Callable[..., bytes]:
    """The bytes of a photograph of some width and height."""

    def taken(width: int, height: int, kind: str = "PNG") -> bytes:
        return encode(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), kind)

    return taken


@pytest.fixture
def one_click() -> Prompts:
    """One positive click near the upper left corner of view 0."""
    return Prompts.of([[[3, 2]]], [[1]], [[0]])


@pytest.fixture
def scene(rng: np.random.Generator) -> Callable[..., Geometry]:
    """Random geometry of N views; with `holes`, that part of the pixels is invalid and holds NaN."""

    def made(views: int, height: int, width: int, holes: float = 0.0) -> Geometry:
        points = rng.normal(size=(views, height, width, 3)).astype(np.float32)
        confidence = rng.random((views, height, width), dtype=np.float32)
        valid = rng.random((views, height, width)) >= holes
        points[~valid], confidence[~valid] = np.nan, np.nan
        return Geometry(points, confidence, valid)

    return made
