"""Masks of a kept scene are painted on the photographs that it was encoded from, or not at all."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam_client import AsyncClient, Client, InvalidRequestError, SceneChangedError, UnknownSceneError, cli
from tests.clients.scenes_stand_in import Scenes, scenes_served

NAMES = ("chair.png", "table.png", "door.png")


@pytest.fixture
def scenes() -> Iterator[Scenes]:
    with scenes_served() as scenes:
        yield scenes


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three photographs of the size that the stand-in's masks have."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for shade, name in enumerate(NAMES):
        Image.new("RGB", (6, 4), (shade, 0, 0)).save(folder / name)
    return [folder / name for name in NAMES]


@pytest.fixture
def scene_id(scenes: Scenes, files: list[Path]) -> str:
    """Of another process: only its id is known here."""
    with Client(scenes.url) as client:
        return client.encode(files).id


@pytest.fixture
def run(scenes: Scenes, scene_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def call(*photographs: Path) -> tuple[int, str]:
        request = ["segment", *map(str, photographs), "--scene", scene_id, "--click", "0:1,2"]
        code = cli.main([*request, "--out", str(tmp_path / "out"), "--url", scenes.url])
        return code, capsys.readouterr().err

    return call


def test_the_scenes_own_photographs_are_taken(run, files, tmp_path):
    assert run(*files)[0] == 0
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3


def test_other_photographs_are_refused_by_name_and_nothing_is_written(run, files, tmp_path):
    stranger = files[1].with_name("lake.png")
    Image.new("RGB", (6, 4), (9, 9, 9)).save(stranger)
    code, err = run(files[0], stranger, files[2])
    assert code == 2 and "lake.png" in err and "chair.png" not in err and "view 1" in err
    assert not any((tmp_path / "out").rglob("[!.]*"))


def test_another_order_is_refused_with_the_right_one(run, files):
    code, err = run(files[1], files[0], files[2])
    assert code == 2 and "in another order" in err and "chair.png, table.png, door.png" in err


@pytest.mark.parametrize(("places", "says"), [((0, 1), "view 2"), ((0, 1, 2, 2), "4 photographs are named")])
def test_fewer_or_more_photographs_are_refused(run, files, places, says):
    code, err = run(*(files[place] for place in places))
    assert code == 2 and says in err


def test_a_file_that_was_changed_since_is_another(run, files):
    Image.new("RGB", (50, 40)).save(files[2])
    code, err = run(*files)
    assert code == 2 and "door.png" in err


def test_a_handle_of_an_id_learns_what_the_scene_is(scenes, scene_id, files):
    with Client(scenes.url) as client:
        scene = client.scene(scene_id)
        with pytest.raises(InvalidRequestError, match="call `describe` first"):
            scene.check(files)
        scene.describe()
        scene.check(files)
        assert scene.sizes is not None and scene.sizes.tolist() == [[4, 6]] * 3
        with pytest.raises(InvalidRequestError, match="another order"):
            scene.check(files[::-1])


def test_a_handle_of_an_id_learns_it_in_asyncio_too(scenes, scene_id, files):
    async def described() -> None:
        async with AsyncClient(scenes.url) as client:
            scene = client.scene(scene_id)
            await scene.describe()
            scene.check(files)
            with pytest.raises(InvalidRequestError, match="not of this scene: photograph_0"):
                scene.check([encoded(77), *files[1:]])

    asyncio.run(described())


def test_masks_of_a_scene_that_another_has_changed_are_not_taken_for_the_former_ones(scenes, files):
    with Client(scenes.url) as client, client.encode(files) as mine:
        theirs = client.scene(mine.id)
        theirs.remove([0])
        theirs.add([files[0]])
        with pytest.raises(SceneChangedError, match="describe"):
            mine.segment(points=[[1, 2]])
        mine.describe()
        assert len(mine.segment(points=[[1, 2]]).sizes) == 3

        async def asked() -> None:
            async with AsyncClient(scenes.url) as other:
                scene = other.scene(mine.id)
                await scene.describe()
                theirs.remove([0])
                with pytest.raises(SceneChangedError, match="describe"):
                    await scene.segment(points=[[1, 2]])

        asyncio.run(asked())
        mine.describe()
        scenes.kept.clear()
        with pytest.raises(UnknownSceneError):  # and not the former photographs once more
            mine.segment(points=[[1, 2]])


def test_a_result_is_drawn_on_photographs_of_its_own_sizes_only(server, photographs):
    from mvsam_client.cloud import CLOUD_OUTPUTS

    with Client(server.url) as client:
        result = client.segment(photographs, points=[[1, 1]], outputs=CLOUD_OUTPUTS)
    with pytest.raises(InvalidRequestError, match="photograph 0 is 50x50, and view 0 of the result 80x60"):
        result.point_cloud(photographs[::-1])
    for wrong in (lambda: result.point_cloud(photographs[:2]), lambda: result.coco(["a.jpg"])):
        with pytest.raises(InvalidRequestError, match="for the 3 views of the result"):
            wrong()
    for wrong in (lambda: result.png(view=3), lambda: result.sam_dicts(-1), lambda: result.detections(7)):
        with pytest.raises(InvalidRequestError, match="there is no view"):
            wrong()


def encoded(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
