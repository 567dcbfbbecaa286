"""What server and client must do alike is one file that both carry, since the client imports nothing of the server."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

SHARED = {
    "mvsam.pipeline.orientation": "mvsam_client.orientation",
    "mvsam.pipeline.eight_bits": "mvsam_client.eight_bits",
    "mvsam.evaluation.geometry.colmap_images": "mvsam_client.colmap_images",
}


def text_of(module: str) -> str:
    spec = find_spec(module)
    assert spec and spec.origin
    return Path(spec.origin).read_text(encoding="utf-8")


@pytest.mark.parametrize("original", SHARED)
def test_both_carry_the_same_file(original):
    text = text_of(original)
    assert text == text_of(SHARED[original]), f"copy {original} over {SHARED[original]}"
    assert not re.search(r"^(from|import) mvsam", text, re.MULTILINE)
