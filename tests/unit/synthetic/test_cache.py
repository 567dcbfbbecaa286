"""A cache holds what the generator renders, and an interrupted run goes on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.synthetic.__main__ import main
from mvsam.synthetic.cache import CachedScenes, Recipe, RecipeMismatchError, write
from mvsam.synthetic.scene import Split, sample_scene

RECIPE = Recipe("train", first_seed=5, count=5, views=2, height=24, width=32, scenes_per_shard=2)


def test_cached_scenes_are_those_of_the_generator(tmp_path: Path) -> None:
    assert sum(write(tmp_path, RECIPE)) == 5
    cached = CachedScenes(tmp_path)
    assert len(cached) == 5
    for index in (0, 4):
        found, drawn = cached[index], sample_scene(5 + index, Split.TRAIN, views=2, height=24, width=32)
        assert found.families == drawn.families
        assert (found.objects != drawn.objects).mean() < 2e-3
        assert np.mean(np.abs(found.points - drawn.points) > 1e-4) < 2e-3
        assert found.points.dtype == np.float32 and found.images.shape == drawn.images.shape


def test_interrupted_cache_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    list(write(whole, RECIPE))
    next(write(broken, RECIPE))
    assert len(CachedScenes(broken)) == 2
    assert sum(write(broken, RECIPE)) == 3, "only what is missing"
    assert [path.name for path in sorted(broken.iterdir())] == [path.name for path in sorted(whole.iterdir())]
    for path in whole.iterdir():
        assert (broken / path.name).read_bytes() == path.read_bytes()


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    next(write(tmp_path, RECIPE))
    with pytest.raises(RecipeMismatchError, match="another recipe"):
        next(write(tmp_path, Recipe("test", first_seed=5, count=5, views=2, height=24, width=32)))


def test_commands_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--count", "2", "--views", "2", "--height", "24", "--width", "24"]
    assert main(["preview", "--out", str(tmp_path / "sheet.png"), *small]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 28, 2 * 28)
    assert main(["render", "--out", str(tmp_path / "cache"), *small]) == 0
    assert main(["render", "--out", str(tmp_path / "cache"), *small, "--split", "test"]) == 2
    assert main(["speed", *small]) == 0
    assert "views/s of 24x24 on cpu" in capsys.readouterr().out
