import re

import numpy as np
from PIL import Image

from mvsam.evaluation.benchmarks.gathering import tables_of
from mvsam.evaluation.benchmarks.harness import Order, evaluated
from mvsam.evaluation.benchmarks.layouts import Run
from mvsam.evaluation.benchmarks.page import write_page
from mvsam.evaluation.benchmarks.scoring import Averaging
from mvsam.evaluation.benchmarks.sheets import FOUND, MISSED, STRAY, sheet
from tests.unit.evaluation.benchmarks.made import Bright, MadeScenes


def run_of(name: str, *left_out: int) -> Run:
    scenes = {
        f"scene {index}": evaluated(MadeScenes().load(f"scene {index}"), Bright(cut), None, Order.VIDEO, "Made")
        for index, cut in enumerate(left_out)
    }
    return Run("Made", name, "none", "video", "", scenes)


def near(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """Pixels that lean towards a colour of the legend."""
    pixels = np.asarray(picture).astype(int)
    return int((np.abs(pixels - (255 // 3 + np.array(colour) * 2 // 3)).max(axis=2) < 60).sum())


def test_a_sheet_shows_what_is_right_missed_and_wrong():
    scene = MadeScenes().load("scene 0")
    (target,) = scene.targets
    good = run_of("good", 0).scenes["scene 0"].objects["square"]
    half = run_of("half", 20).scenes["scene 0"].objects["square"]
    right, missing = sheet(scene, target, {"good": good}, [0, 1, 2]), sheet(scene, target, {"half": half}, [0, 1, 2])
    assert near(missing, FOUND) < near(right, FOUND)
    assert near(missing, MISSED) > 200 > near(right, MISSED)
    assert near(right, STRAY) < 200


def test_a_page_holds_tables_and_the_best_the_median_and_the_worst(tmp_path):
    runs = [run_of("one <script>", 20, 0, 18), run_of("two", 0, 0, 0)]
    path = tmp_path / "docs" / "made.html"
    write_page(path, "Made & found", ["a command"], tables_of(runs, Averaging.MACRO), MadeScenes(), runs)
    text = path.read_text()
    assert "<script>" not in text and "one &lt;script&gt;" in text
    assert "Made &amp; found" in text and "a command" in text and text.count("<tr>") == 3
    captions = re.findall(r"<h2>(Best|Median|Worst) of .*?: scene (scene \d)", text)
    assert captions == [("Best", "scene 1"), ("Median", "scene 2"), ("Worst", "scene 0")]
    for file in re.findall(r'<img src="([^"]+)"', text):
        with Image.open(path.parent / file) as picture:
            assert picture.width > 500
    assert not list(path.parent.rglob("*.tmp"))
