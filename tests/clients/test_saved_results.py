"""The folder of a result can be opened with the tools people have."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mvsam_client import Click, Client, InvalidRequestError
from mvsam_client.images import upright
from mvsam_client.outputs import CLOUD_OUTPUTS, save
from mvsam_client.pictures import POSITIVE

POINTS = [Click(1, 20, 30)]


@pytest.fixture
def saved(server, photographs, tmp_path):
    def run(points, outputs=CLOUD_OUTPUTS):
        with Client(server.url) as client:
            result = client.segment(photographs, points=points, outputs=outputs)
        names = [path.name for path in photographs]
        return result, save(tmp_path / "out", result, photographs, names, points=points)

    return run


def test_mask_files_equal_the_masks(saved):
    result, files = saved(POINTS)
    for mask, path in zip(result.masks[0], files.masks[0], strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), np.where(mask, 255, 0))
    assert [path.name for path in files.masks[0]] == ["000_image 0.png", "001_image 1.png", "002_image 2.png"]


def test_overlays_are_upright_and_carry_the_clicks_of_their_own_view(saved):
    _, files = saved(POINTS)
    shapes = [np.asarray(Image.open(path)).shape for path in files.overlays]
    assert shapes == [(60, 80, 3), (64, 48, 3), (50, 50, 3)]
    marker = np.asarray(Image.open(files.overlays[1])).astype(int)[27, 17]
    assert np.abs(marker - POSITIVE).max() < 40


def test_cocos_own_tools_read_the_annotations(saved, capsys):
    result, files = saved([*POINTS, Click(0, 3, 3, object=1)])
    coco = COCO(files.annotations)
    assert len(coco.anns) == 6 and len(coco.imgs) == 3 and len(coco.cats) == 2
    for annotation in coco.anns.values():
        mask = result.masks[annotation["category_id"] - 1][annotation["image_id"] - 1]
        np.testing.assert_array_equal(coco.annToMask(annotation), mask)
        x, y, width, height = annotation["bbox"]
        assert annotation["area"] == mask.sum() == mask[y : y + height, x : x + width].sum()
        assert mask[y].any() and mask[:, x].any() and mask[y + height - 1].any() and mask[:, x + width - 1].any()


def test_cocos_own_tools_look_up_categories_and_load_results(saved, capsys):
    _, files = saved([*POINTS, Click(0, 3, 3, object=1)])
    coco = COCO(files.annotations)
    assert coco.info() is None and "description" in capsys.readouterr().out
    assert coco.getCatIds(supNms=["object"]) == [1, 2] and coco.getCatIds(catNms=["object 1"]) == [2]
    keys = ("image_id", "category_id", "segmentation", "score")
    results: Any = [
        {key: each[key] for key in keys} for each in json.loads(files.annotations.read_bytes())["annotations"]
    ]
    found = coco.loadRes(results)
    assert len(found.anns) == 6


def test_empty_masks_are_written_but_not_annotated(server, saved):
    server.finds_nothing = True
    result, files = saved(POINTS)
    assert not any(mask.any() for mask in result.masks[0])
    assert json.loads(files.annotations.read_bytes())["annotations"] == []
    assert all(path.exists() for path in files.masks[0])


def test_the_point_cloud_needs_the_outputs_it_is_drawn_from(saved):
    _, files = saved(POINTS)
    assert files.point_cloud.read_bytes().startswith(b"ply\n")
    _, files = saved(POINTS, outputs=["points"])
    assert files.point_cloud is None


def test_a_truncated_photograph_is_named_as_such(photographs):
    with pytest.raises(InvalidRequestError, match=r"lake.jpg: not a readable picture .*truncated"):
        upright(photographs[0].read_bytes()[:-200], "lake.jpg")
