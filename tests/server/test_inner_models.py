"""The Python models within the ensembles, called directly with nonsense: they refuse it, and live on."""

import re

import numpy as np
import pytest

from tests.server.bad_requests import NAN, click, pointmap
from tests.server.wire import HEIGHT, INTERNALS, MAP, VIEWS, WIDTH, Tensors, Wire, floats, good, integers

NORMALIZER: Tensors = {
    **good("mvsam_pointmap"),
    "IMAGES": None,
    "IMAGE_SIZES": integers([[HEIGHT, WIDTH], [WIDTH, HEIGHT]]),
    "GEOMETRY_RECTS": floats([[0, 0, MAP[2], MAP[1]]] * VIEWS),
}
POSTPROCESS: Tensors = {
    "mask_logits": np.ones((1, VIEWS, 64, 64), np.float32),
    "IMAGE_SIZES": integers([[HEIGHT, WIDTH], [WIDTH, HEIGHT]]),
}
SOUND: dict[str, tuple[Tensors, tuple[str, ...]]] = {
    "pointmap_normalizer": (NORMALIZER, ("grid_points", "prompt_points")),
    "postprocess": (POSTPROCESS, ("MASKS", "AREAS")),
}
NONSENSE: dict[str, tuple[str, Tensors, str]] = {
    "normalizer, sizes of another count": (
        "pointmap_normalizer",
        {"IMAGE_SIZES": integers([[4, 4]])},
        r"IMAGE_SIZES has shape \[1, 2\]; give \[2, 2\]",
    ),
    "normalizer, gigantic photographs": (
        "pointmap_normalizer",
        {"IMAGE_SIZES": integers([[2**31 - 1] * 2] * VIEWS)},
        "IMAGE_SIZES: view 0 is 2147483647x2147483647, more than the 50000000 pixels allowed; send a smaller",
    ),
    "normalizer, rectangles at NaN": (
        "pointmap_normalizer",
        {"GEOMETRY_RECTS": np.full((VIEWS, 4), NAN, np.float32)},
        r"GEOMETRY_RECTS leaves the pointmaps \(24x16\); give x, y, w, h within them",
    ),
    "normalizer, nothing but NaN": (
        "pointmap_normalizer",
        {"points": np.full((*MAP, 3), NAN, np.float32)},
        r"points: view 0, pixel \(0, 0\) is not finite; set VALID",
    ),
    "normalizer, no views": (
        "pointmap_normalizer",
        pointmap(views=0),
        r"points has shape \[0, 16, 24, 3\]; give",
    ),
    "normalizer, statistics of zero": (
        "pointmap_normalizer",
        {"SCENE_STATISTICS": np.zeros(7, np.float32)},
        "SCENE_STATISTICS must hold .*; pass on what was received",
    ),
    "postprocess, negative sizes": (
        "postprocess",
        {"IMAGE_SIZES": integers([[-1, 3], [4, 4]])},
        "IMAGE_SIZES: view 0 is 3x-1; give height and width of each photograph",
    ),
    "postprocess, gigantic photographs": (
        "postprocess",
        {"IMAGE_SIZES": integers([[200_000, 200_000]] * VIEWS)},
        "IMAGE_SIZES: view 0 is 200000x200000, more than the 50000000 pixels allowed; send a smaller",
    ),
    "postprocess, logits without pixels": (
        "postprocess",
        {"mask_logits": np.ones((1, VIEWS, 0, 0), np.float32)},
        r"mask_logits has shape \[1, 2, 0, 0\].*; give",
    ),
    "postprocess, clicks without labels": (
        "postprocess",
        {"POINTS": floats([[[1, 1]]])},
        "POINT_LABELS is missing; send it too",
    ),
    "postprocess, a click nowhere": ("postprocess", click(NAN, 1), "POINTS: .* is not finite; give finite"),
}


@pytest.mark.parametrize(("model", "changes", "says"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused_and_does_not_end_the_model(wire: Wire, model: str, changes: Tensors, says: str) -> None:
    sound, outputs = SOUND[model]
    answer = wire.ask(model, sound | changes, outputs)
    assert answer.status == "INVALID_ARGUMENT", answer
    assert re.search(says, answer.message), answer.message
    assert not INTERNALS.search(answer.message), answer.message
    assert wire.ask(model, sound, outputs).status == "OK"
