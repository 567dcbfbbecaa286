import struct
from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from mvsam.pipeline.checks import check_request
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import Geometry, Prompts

NAN, INF = float("nan"), float("inf")


def clicks(points, labels=None, views=None) -> Prompts:
    """Clicks of one object, positive and in view 0 unless told."""
    return Prompts.of([points], [labels or [1] * len(points)], [views or [0] * len(points)])


def box(corners, of_object=0, view=0) -> Prompts:
    return Prompts.of(np.zeros((1, 0, 2)), np.zeros((1, 0)), np.zeros((1, 0)), [corners], [of_object], [view])


def masks(files, objects=None, views=None) -> Prompts:
    zeros = [0] * len(files)
    return Prompts.of(
        np.zeros((1, 0, 2)), np.zeros((1, 0)), np.zeros((1, 0)),
        masks=files, mask_objects=objects or zeros, mask_views=views or zeros,
    )  # fmt: skip


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0)


@pytest.fixture
def photographs(photograph):
    return [photograph(64, 48, "JPEG"), photograph(30, 40, "PNG")]


def refused(images, prompts, message, limits=None, geometry=None):
    started = process_time()
    with pytest.raises(RequestError, match=message):
        check_request(images, prompts, limits or Limits(), geometry)
    assert process_time() - started < 0.05


def test_a_good_request_passes_and_gives_the_headers(photographs):
    headers = check_request(photographs, clicks([[0, 0], [63, 47], [29.4, 39.4]], [1, 0, 0], [0, 0, 1]), Limits())
    assert [header.size for header in headers] == [(48, 64), (40, 30)]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (clicks([[1, 1], [64, 20]]), r"click 1 at \(64.0, 20.0\) lies outside view 0 \(64x48\); give x in \[0, "),
        (clicks([[35, 5]], views=[1]), r"lies outside view 1 \(30x40\)"),
        (clicks([[-0.6, 5]]), "lies outside view 0"),
        (clicks([[1, 47.5]]), "lies outside view 0"),
        (clicks([[NAN, 5]]), "POINTS: object 0, click 0 at .*give finite"),
        (clicks([[1, INF]]), "give finite"),
        (clicks([[1, 1]], labels=[7]), "POINT_LABELS: object 0, click 0 has label 7; give 1"),
        (clicks([[1, 1]], views=[2]), "POINT_VIEWS: object 0, click 0 names view 2 of 2; give 0 to 1"),
        (clicks([[1, 1]], views=[-1]), "POINT_VIEWS.*names view -1"),
        (clicks([[1, 1]], labels=[0]), "POINT_LABELS: object 0 has only negative clicks; add"),
        (clicks([[1, 1]], labels=[-1]), "POINTS: object 0 has no prompts; give"),
        (clicks(np.zeros((0, 2))), "POINTS: object 0 has no prompts"),
        (Prompts.of(np.zeros((0, 1, 2)), np.zeros((0, 1)), np.zeros((0, 1))), "POINTS holds no object"),
        (Prompts.of([[[1, 1]]] * 2, [[1], [0]], [[0]] * 2), "object 1 has only negative clicks"),
        (clicks(np.ones((10**6, 2)), [1] * 10**6, [0] * 10**6), "1000000 clicks an.*256 allowed; send fewer"),
        (Prompts.of(np.ones((65, 1, 2)), np.ones((65, 1), int), np.zeros((65, 1), int)), "65 objects.*64 allowed"),
        (box([5, 5, 5, 9]), "BOXES: box 0 is .*give .*x0 < x1"),
        (box([9, 5, 5, 9]), "x0 < x1"),
        (box([5, 5, 66, 9]), r"BOXES: box 0 .*reaches outside view 0 \(64x48\)"),
        (box([-3, 5, 6, 9]), "reaches outside"),
        (box([5, 5, NAN, 9]), "BOXES: box 0 is .*give finite"),
        (box([1, 1, 5, 5], of_object=1), "BOX_OBJECTS: box 0 names object 1 of 1; give 0 to 0"),
        (box([1, 1, 5, 5], view=2), "BOX_VIEWS: box 0 names view 2 of 2"),
        (masks([b""]), "PROMPT_MASKS: mask 0 is empty"),
        (masks([b"GIF89a" + bytes(50)]), "PROMPT_MASKS: mask 0 is a GIF file"),
        (masks([png_header(63, 48)]), "PROMPT_MASKS: mask 0 is 63x48, its photograph, view 0, 64x48; send"),
        (masks([png_header(64, 48)] * 2), "PROMPT_MASKS: mask 1 and mask 0 are for the same object 0 and view 0"),
        (masks([png_header(64, 48)], objects=[4]), "MASK_OBJECTS: mask 0 names object 4"),
        (masks([png_header(64, 48)], views=[-1]), "MASK_VIEWS: mask 0 names view -1"),
        (masks([b"x"] * 65), "65 masks.*64 allowed"),
    ],
)  # fmt: skip
def test_bad_prompts_are_refused_at_once_with_a_remedy(photographs, prompts, message):
    refused(photographs, prompts, message)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "IMAGES is empty; send at least one"),
        ([b""], "IMAGES: view 0 is empty"),
        (["a.jpg"], "IMAGES: view 0 is str; send the bytes"),
        ([b"hello"], "IMAGES: view 0 is in an unknown picture format"),
        ([b"II*\0" + bytes(100)], "IMAGES: view 0 is a TIFF file; send JPEG, PNG or WebP"),
        ([b"\xff\xd8\xff\xe0"], "IMAGES: view 0 is a JPEG with a truncated or damaged header"),
        ([png_header(50_000, 50_000)], "view 0 has 50000x50000 pixels, more than the 50000000 allowed; send"),
        ([png_header(0, 10)], "IMAGES: view 0 is a PNG without pixels"),
        ([png_header(10, 10)] * 300, "IMAGES: 300 photographs, more than the 100 allowed; send fewer views"),
    ],
)  # fmt: skip
def test_bad_photographs_are_refused_at_once_with_a_remedy(images, message, one_click):
    refused(images, one_click, message)


def test_byte_limits_count_one_file_and_all_together(photographs, one_click):
    largest, total = max(map(len, photographs)), sum(map(len, photographs))
    refused(photographs, one_click, "bytes, more than .*compress", Limits(max_image_bytes=largest - 1))
    refused(photographs, one_click, "IMAGES and PROMPT_MASKS have", Limits(max_request_bytes=total - 1))
    assert check_request(photographs, one_click, Limits(max_image_bytes=largest, max_request_bytes=total))


def test_padding_may_hold_anything(photographs):
    check_request(photographs, clicks([[1, 1], [NAN, -9]], [1, -1], [0, 77]), Limits())


def test_boxes_and_masks_are_positive_prompts_and_may_touch_the_border(photographs, photograph):
    check_request(photographs, box([-0.5, 0, 64, 48]), Limits())
    check_request(photographs, masks([photograph(64, 48, "PNG")]), Limits())


def test_a_photograph_is_no_mask(photographs):
    refused(photographs, masks([photographs[0]]), "PROMPT_MASKS: mask 0 is a JPEG; send PNG")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_files_that_break_off_are_refused_without_decoding(photographs, photograph, one_click, kind):
    whole = photograph(2000, 1500, kind)
    assert check_request([*photographs, whole], one_click, Limits())
    refused([*photographs, whole[:-100]], one_click, f"IMAGES: view 2 is a truncated {kind}; send the whole file")


def test_a_mask_that_breaks_off_is_refused_without_decoding(photographs, photograph):
    refused(photographs, masks([photograph(64, 48)[:-100]]), "PROMPT_MASKS: mask 0 is a truncated PNG; send the whole")


def test_geometry_must_fit_and_hold_numbers(photographs, one_click, scene):
    geometry = scene(2, 12, 16)
    check_request(photographs, one_click, Limits(), geometry)
    refused(photographs[:1], one_click, "points holds 2 views, IMAGES 1", geometry=geometry)
    refused(photographs, one_click, "12x16 pixels a view, more than", Limits(max_geometry_pixels=100), geometry)
    for name in ("points", "confidence"):
        broken = getattr(geometry, name).copy()
        broken[1, 2, 3] = np.nan
        refused(
            photographs,
            one_click,
            rf"{name}: view 1, pixel \(3, 2\).*VALID",
            geometry=replace(geometry, **{name: broken}),
        )
    blind = geometry.valid.copy()
    blind[1] = False
    refused(photographs, one_click, "VALID: view 1 has no valid pixel; leave", geometry=replace(geometry, valid=blind))


def test_numbers_where_geometry_is_invalid_do_not_matter(photographs, scene):
    geometry = scene(2, 12, 16, holes=0.3)
    row, column = np.argwhere(geometry.valid[0])[0]
    check_request(photographs, clicks([[column * 4 + 1, row * 4 + 1]]), Limits(), geometry)


def test_a_box_without_geometry_is_refused(photographs, scene):
    geometry: Geometry = scene(2, 12, 16)
    geometry.valid[1, 2:6, 3:8] = False
    refused(photographs, box([7, 8, 13, 18], view=1), "BOXES: box 0 holds no valid geometry in view 1", None, geometry)
    check_request(photographs, box([7, 8, 16, 18], view=1), Limits(), geometry)


def test_a_click_on_invalid_geometry_names_the_pixel(photographs, scene):
    geometry: Geometry = scene(2, 12, 16)
    geometry.valid[0, 5, 7] = False
    refused(
        photographs,
        clicks([[1, 1], [29, 22]]),
        r"click 1 at \(29.0, 22.0\) in view 0 lies on pixel \(7, 5\)",
        geometry=geometry,
    )


def test_what_boxes_and_masks_become_counts_as_points_of_their_object(photographs):
    limits = Limits(max_prompt_points=25)
    for count in (1, 2):
        zeros = np.zeros((1, count), np.int32)
        prompts = Prompts.of(np.ones((1, count, 2)), zeros + 1, zeros, [[1, 1, 9, 9]] * 2, [0, 0], [0, 0])
        if count == 1:
            assert check_request(photographs, prompts, limits)
        else:
            refused(
                photographs, prompts, "26 points an object, 12 for each box and 10 for each mask, more than", limits
            )


def test_photographs_too_wide_or_too_high_for_the_geometry_network_are_refused_by_their_shape(photograph):
    limits = Limits(max_aspect=2.0)
    for width, height, shape in ((90, 30, "3.00 times as wide as high"), (30, 90, "3.00 times as high as wide")):
        wide = [photograph(width, height, "PNG")] * 2
        refused(
            [*wide, photograph(40, 40, "PNG")], clicks([[1, 1]]), rf"are {shape} \(the middle one\).*crop them", limits
        )
        own = Geometry.of(np.ones((2, 8, 8, 3), np.float32), np.ones((2, 8, 8), np.float32))
        assert check_request(wide, clicks([[1, 1]]), limits, own)
        assert check_request([wide[0], *[photograph(40, 40, "PNG")] * 2], clicks([[1, 1]]), limits)
