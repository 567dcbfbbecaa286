"""An example that contradicts itself is refused where it is made."""

from typing import Any

import numpy as np
import pytest

from mvsam.pipeline.request import Geometry
from mvsam.training.example import Example

PHOTOGRAPH = np.zeros((4, 6, 3), np.uint8)
MASKS = np.ones((2, 4, 6), bool)
FURTHER = {"photographs": [PHOTOGRAPH] * 2, "further_masks": [MASKS], "annotated": np.ones((2, 2), bool)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photographs": []}, "sa_1: an example without photographs"),
        ({"photographs": [PHOTOGRAPH / 255]}, r"photograph 0 is float64 \[4, 6, 3\]; give uint8"),
        ({"masks": MASKS[:0]}, "sa_1: an example without masks"),
        ({"masks": MASKS[:, :3]}, r"masks of view 0 are bool \[2, 3, 6\]; give bool \[2, 4, 6\]"),
        ({"masks": MASKS.astype(np.uint8)}, "masks of view 0 are uint8"),
        (FURTHER | {"further_masks": [MASKS[:1]]}, r"masks of view 1 are bool \[1, 4, 6\]; give bool \[2, 4, 6\]"),
        (FURTHER | {"further_masks": [MASKS] * 2}, "masks of 2 further views; give them of all 1, or none"),
        (FURTHER | {"annotated": None}, "further_masks and annotated belong together"),
        (FURTHER | {"annotated": np.ones((2, 3), bool)}, r"annotated has shape \[2, 3\]; give \[2, 2\]"),
        (
            {"geometry": Geometry.of(np.zeros((2, 3, 3, 3)), np.zeros((2, 3, 3)))},
            "geometry of 2 views for 1 photographs; give one pointmap a photograph",
        ),
    ],
)
def test_contradictions_are_refused(change: dict[str, Any], message: str) -> None:
    fitting: dict[str, Any] = {"key": "sa_1", "photographs": [PHOTOGRAPH], "masks": MASKS}
    Example(**fitting)
    Example(**(fitting | FURTHER))
    with pytest.raises(ValueError, match=message):
        Example(**(fitting | change))
