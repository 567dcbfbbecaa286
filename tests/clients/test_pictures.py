"""Overlays show the mask where it is and leave the rest of the photograph alone."""

import numpy as np
from PIL import Image

from mvsam_client import Box, Click, pictures

GREY = np.full((120, 200, 3), 100, np.uint8)


def test_the_overlay_changes_the_mask_and_nothing_else():
    mask = np.zeros((120, 200), bool)
    mask[30:90, 50:150] = True
    drawn = np.asarray(pictures.overlay(GREY, [mask]))
    changed = (drawn != GREY).any(axis=-1)
    np.testing.assert_array_equal(changed, mask)
    assert tuple(drawn[60, 100]) == tuple(50 + channel // 2 for channel in pictures.PALETTE[0])
    assert tuple(drawn[30, 100]) == pictures.PALETTE[0]
    assert (GREY == 100).all(), "the caller's photograph must not change"


def test_objects_have_colours_of_their_own():
    masks = [np.zeros((120, 200), bool) for _ in range(2)]
    masks[0][:, :80], masks[1][:, 120:] = True, True
    drawn = np.asarray(pictures.overlay(GREY, masks))
    assert len({tuple(drawn[60, x]) for x in (40, 100, 160)}) == 3


def test_the_outline_follows_the_border_but_not_the_photographs_edge():
    mask = np.zeros((50, 60), bool)
    mask[:, :30] = True
    ring = pictures.outline(mask, 2)
    assert ring[:, 28:30].all() and not ring[:, :28].any() and not ring[:, 30:].any()


def test_clicks_are_marked_where_they_were_made():
    clicks = [Click(0, 40, 60), Click(0, 160, 60, positive=False)]
    drawn = np.asarray(pictures.overlay(GREY, [], clicks, [Box(0, 10, 100, 90, 110)]))
    # The centre of each marker is its white sign; the colour shows beside it.
    assert tuple(drawn[57, 37]) == pictures.POSITIVE and tuple(drawn[57, 157]) == pictures.NEGATIVE
    assert tuple(drawn[60, 40]) == tuple(drawn[60, 160]) == (255, 255, 255)
    assert tuple(drawn[100, 50]) == pictures.PALETTE[0]


def test_prompts_at_the_edge_and_a_box_drawn_backwards_can_be_drawn():
    pictures.overlay(GREY, [], [Click(0, -0.5, 119.4)], [Box(0, 90, 110, 10, 100)])


def test_the_contact_sheet_holds_every_view_once():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]
    sizes = [(400, 300), (300, 400), (480, 200), (50, 50), (400, 300)]
    tiles = [Image.new("RGB", size, colour) for size, colour in zip(sizes, colours, strict=True)]
    sheet = np.asarray(pictures.contact_sheet(tiles, [f"{view}  {'long ' * 40}.jpg" for view in range(5)]))
    for (width, height), colour in zip(sizes, colours, strict=True):
        assert (sheet == np.array(colour)).all(axis=-1).sum() == width * height


def test_thumbnails_keep_the_shape_of_the_photograph():
    assert pictures.thumbnail(Image.new("RGB", (4000, 3000))).size == (480, 360)
    assert pictures.thumbnail(Image.new("RGB", (300, 100))).size == (300, 100)
