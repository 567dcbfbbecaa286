import re

from PIL import Image

from mvsam.evaluation.benchmarks.gathering import tables_of
from mvsam.evaluation.benchmarks.harness import Order, evaluated
from mvsam.evaluation.benchmarks.layouts import Run
from mvsam.evaluation.benchmarks.page import write_page
from mvsam.evaluation.benchmarks.scoring import Averaging
from tests.unit.evaluation.benchmarks.made import Bright, MadeScenes


def run_of(name: str, *left_out: int) -> Run:
    scenes = {
        f"scene {index}": evaluated(MadeScenes().load(f"scene {index}"), Bright(cut), None, Order.VIDEO, "Made")
        for index, cut in enumerate(left_out)
    }
    return Run("Made", name, "none", "video", "", scenes)


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
