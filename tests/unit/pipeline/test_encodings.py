import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from mvsam.pipeline.encodings import MaskEncoding, decode_mask, encode_mask
from mvsam.pipeline.errors import RequestError


@pytest.mark.parametrize("encoding", MaskEncoding)
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (48, 64), (101, 3)])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_masks_survive_the_round_trip(rng, encoding, size, density):
    mask = rng.random(size) < density
    decoded = decode_mask(encode_mask(mask, encoding), encoding, size)
    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)


def test_rle_is_what_coco_tools_read(rng):
    mask = rng.random((20, 30)) < 0.5
    run_lengths = json.loads(encode_mask(mask, MaskEncoding.RLE))
    assert run_lengths["size"] == [20, 30]
    assert coco.area(run_lengths) == mask.sum()


def test_the_bytes_are_as_documented(tmp_path):
    mask = np.array([[True, False, False], [False, False, True]])
    assert encode_mask(mask, MaskEncoding.RAW) == bytes([1, 0, 0, 0, 0, 1])
    assert encode_mask(mask, MaskEncoding.PACKED) == bytes([0b10000100])
    (tmp_path / "mask.png").write_bytes(encode_mask(mask, MaskEncoding.PNG))
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), mask * np.uint8(255))


@pytest.mark.parametrize("name", ["rle", b"RLE", " Rle "])
def test_encodings_are_found_by_name(name):
    assert MaskEncoding.of(name) is MaskEncoding.RLE


@pytest.mark.parametrize("name", ["jpeg", b"\xff\xfe", "", "x" * 10_000])
def test_an_unknown_encoding_is_refused_with_the_known_ones(name):
    with pytest.raises(RequestError, match=r"ENCODING is .*give one of rle, png, packed, raw") as error:
        MaskEncoding.of(name)
    assert len(str(error.value)) < 200
