import numpy as np
import pytest
from PIL import Image

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.preprocessing import preprocess
from mvsam.pipeline.request import Prompts
from mvsam.pipeline.resizing import encoder_image

SIDE, PIXELS = 64, 14_000


def run(images, prompts, **options):
    return preprocess(images, prompts, encoder_side=SIDE, geometry_pixels=PIXELS, limits=Limits(), **options)


def test_photographs_of_any_size_and_orientation_share_one_request(photograph, one_click):
    sizes = [(160, 120), (120, 160), (320, 240), (50, 50), (161, 120)]
    result = run([photograph(*size) for size in sizes], one_click)
    assert result.image_sizes.tolist() == [[height, width] for width, height in sizes]
    assert result.geometry_images is not None
    views, _, height, width = result.geometry_images.shape
    assert views == 5 and height % 14 == width % 14 == 0 and height * width <= PIXELS
    assert result.encoder_images.shape == (5, 3, SIDE, SIDE)
    assert {array.dtype for array in (result.geometry_images, result.encoder_images, result.geometry_rects)} == {
        np.dtype(np.float32)
    }
    assert result.geometry_images.min() >= 0 and result.geometry_images.max() <= 1
    assert result.geometry_rects[0].tolist() == [0, 0, width, height]
    assert result.geometry_rects[1, 2] < width and result.geometry_rects[1, 3] == height


def test_a_photograph_is_the_same_whichever_way_its_file_stores_it(encode, rng, one_click):
    upright = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(np.ascontiguousarray(np.rot90(upright)), exif=exif)
    result = run([encode(upright), turned], one_click)
    assert result.geometry_images is not None
    np.testing.assert_array_equal(result.image_sizes[0], result.image_sizes[1])
    np.testing.assert_array_equal(result.encoder_images[0], result.encoder_images[1])
    np.testing.assert_array_equal(result.geometry_images[0], result.geometry_images[1])
    np.testing.assert_array_equal(result.encoder_images[0], encoder_image(upright, SIDE))


def test_permuting_the_photographs_permutes_everything(photograph, one_click):
    images, order = [photograph(90, 60), photograph(60, 90), photograph(70, 60), photograph(90, 61)], [2, 0, 3, 1]
    before, after = run(images, one_click), run([images[i] for i in order], one_click)
    for name in ("geometry_images", "encoder_images", "image_sizes", "geometry_rects"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[order])


def test_the_users_geometry_covers_each_photograph(photograph, one_click, scene):
    result = run([photograph(90, 60), photograph(60, 90)], one_click, geometry=scene(2, 20, 30))
    assert result.geometry_images is None
    assert result.geometry_rects.tolist() == [[0, 0, 30, 20]] * 2


def test_masks_are_checked_before_any_photograph_is_decoded(photograph, encode, scene):
    whole = photograph(90, 60)
    damaged = whole[:200] + bytes(200) + whole[400:]
    painted = np.zeros((60, 90), np.uint8)
    painted[:12, :12] = 255
    nowhere = np.zeros((1, 0))

    def ask(mask: bytes, **options):
        masked = Prompts.of(np.zeros((1, 0, 2)), nowhere, nowhere, masks=[mask], mask_objects=[0], mask_views=[0])
        return run([damaged], masked, **options)

    with pytest.raises(RequestError, match="PROMPT_MASKS: mask 0 is empty"):
        ask(encode(np.zeros((60, 90), np.uint8)))
    blind = scene(1, 20, 30)
    blind.valid[0, :10, :10] = False
    with pytest.raises(RequestError, match="PROMPT_MASKS: mask 0 covers no valid geometry in view 0"):
        ask(encode(painted), geometry=blind)
    with pytest.raises(RequestError, match="IMAGES: view 0 is a truncated or damaged PNG"):
        ask(encode(painted))


def test_prompts_are_checked_before_anything_is_decoded(photograph):
    truncated = photograph(90, 60, "JPEG")[:700]
    with pytest.raises(RequestError, match="only negative"):
        run([truncated], Prompts.of([[[1, 1]]], [[0]], [[0]]))
    with pytest.raises(RequestError, match="IMAGES: view 0 is a truncated"):
        run([truncated], Prompts.of([[[1, 1]]], [[1]], [[0]]))
