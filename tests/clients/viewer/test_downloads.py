"""Exported files hold the masks, at the photographs' own sizes, under their names."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from mvsam_client import Click, Segmentation
from mvsam_client.annotator import Annotator
from mvsam_client.viewer import downloads
from mvsam_client.viewer.exhibit import Exhibit
from tests.clients.viewer import toy

MASKS = [{1: mask} for mask in toy.masks()]


@pytest.fixture(scope="module")
def result() -> Segmentation:
    """Of two objects: the ball, and one that is nowhere."""
    annotator = Annotator(toy.ToyScene())  # pyright: ignore[reportArgumentType]
    annotator.add_click(0, 140, 105, object_id=1)
    annotator.add_click(0, 3, 3, object_id=4)
    annotator.segment()
    return annotator.segmentation or pytest.fail("no answer")


def test_the_archive_holds_a_mask_for_each_photograph_and_object(result: Segmentation) -> None:
    names = [f"IMG {view}.jpg" for view in range(toy.VIEWS)]
    with zipfile.ZipFile(io.BytesIO(downloads.masks_zip(result, names))) as archive:
        expected = {f"masks/{view:03d}_IMG {view}_object{each}.png" for view in range(toy.VIEWS) for each in (1, 4)}
        assert set(archive.namelist()) == expected
        for view, mask in enumerate(toy.masks()):
            with Image.open(archive.open(f"masks/{view:03d}_IMG {view}_object1.png")) as picture:
                np.testing.assert_array_equal(np.asarray(picture) == 255, mask)
            with Image.open(archive.open(f"masks/{view:03d}_IMG {view}_object4.png")) as picture:
                assert not np.asarray(picture).any()


def test_names_with_folders_stay_inside_the_archive(result: Segmentation) -> None:
    with zipfile.ZipFile(io.BytesIO(downloads.masks_zip(result, ["../../etc/passwd.png"]))) as archive:
        assert archive.namelist() == ["masks/000_passwd_object1.png", "masks/000_passwd_object4.png"]


def test_the_coco_file_is_that_of_the_answer(result: Segmentation) -> None:
    names = [f"{view}.jpg" for view in range(toy.VIEWS)]
    content = json.loads(downloads.coco_json(result, names))
    assert [image["file_name"] for image in content["images"]] == names
    assert [each["area"] for each in content["annotations"]] == [int(mask.sum()) for mask in toy.masks()]


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_cloud_is_whole_in_the_servers_frame_and_tinted(exhibit: Exhibit, share: float) -> None:
    cloud = downloads.point_cloud(exhibit, MASKS, share)
    plain = downloads.point_cloud(exhibit, [{}] * toy.VIEWS, share).colours
    everything = toy.extra()["points"].reshape(-1, 3)
    assert len(cloud.positions) == pytest.approx((1 - share) * len(everything), rel=0.01)
    assert {tuple(point) for point in cloud.positions} <= {tuple(point) for point in everything}
    np.testing.assert_array_equal((cloud.colours != plain).any(axis=1), plain[:, 1] < 100)


def test_a_click_is_where_the_person_clicked() -> None:
    """Guards the toy scene itself: the click of these tests is on the ball in every photograph."""
    click = Click(0, 140, 105)
    assert all(mask[int(click.y), int(click.x)] for mask in toy.masks())
