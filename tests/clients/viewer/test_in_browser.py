"""The page in real Chromium, with a real server: what a person does, and what the page then says.

With MVSAM_SCREENSHOTS=docs the pictures of the documentation are made anew.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.synthetic.scene import Scene, make_scene
from mvsam_client import Client
from mvsam_client.images import Photograph, encode_image
from mvsam_client.view_command import opened
from server.demo import SEED, deepest
from server.launcher import TritonServer
from server.view import VIEWS
from server.warmup import warm_up
from tests.clients.viewer.browser import Person, executable, person

pytestmark = pytest.mark.slow

CHAIR, CART, SMALL_CART = 0, 1, 2
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def chromium() -> str:
    for package in ("viser", "playwright"):
        pytest.importorskip(package)
    return executable() or pytest.skip("there is no Chromium; install Debian's package chromium")


@pytest.fixture(scope="module")
def demo() -> Scene:
    return make_scene(SEED, views=VIEWS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo preset with its trained weights, to be served."""
    from export.repository import assemble
    from export.to_onnx import export_graph
    from mvsam.networks.checkpoints import WeightSource
    from mvsam.networks.graphs import GRAPHS
    from mvsam.networks.presets import PRESETS

    folder = tmp_path_factory.mktemp("trained")
    for name, graph in GRAPHS.items():
        export_graph(graph, PRESETS["demo"], WeightSource.FILES, ROOT / "weights", folder / name)
    return assemble(folder, tmp_path_factory.mktemp("served") / "demo")


@pytest.fixture(scope="module")
def visitor(chromium: str, demo: Scene, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    photographs = [Photograph(f"view_{view}.png", encode_image(image)) for view, image in enumerate(demo.images)]
    log = tmp_path_factory.mktemp("log") / "triton.log"
    with TritonServer(trained, log=log) as server:
        warm_up(server.grpc_url, timeout=300)
        with (
            Client(server.grpc_url) as client,
            opened(client, photographs, port=18080) as page,
            person(chromium, page) as visitor,
        ):
            visitor.arrive()
            yield visitor


@pytest.fixture
def visit(visitor: Person) -> Iterator[Person]:
    """Without clicks, and with everything in sight."""
    yield visitor
    visitor.press("Clear")
    visitor.wait(lambda: not visitor.pixels(1))
    visitor.look("Everything")


@pytest.mark.parametrize(("before", "end"), [("", signal.SIGINT), ("trap '' INT; ", signal.SIGTERM)])
def test_make_view_opens_a_page_and_leaves_nothing_behind(
    before: str, end: signal.Signals, trained: Path, tmp_path: Path
) -> None:
    """In the foreground it ends by Ctrl-C, in the background, where that is ignored, by SIGTERM."""
    command = ["sh", "-c", before + 'exec "$@"', "sh", sys.executable, "-m", "server.view"]
    options = ["--repository", str(trained), "--port", "18081", "--log", str(tmp_path / "triton.log")]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        url = next(re.search(r"Open (http://\S+) ", line) for line in process.stdout if "Open" in line)
        assert url
        with urllib.request.urlopen(url[1], timeout=60) as page:
            assert page.status == 200
        process.send_signal(end)
        assert process.wait(timeout=60) == 0


def others(pixels: dict[int, int], view: int) -> int:
    """In how many photographs the object is found beside the one that was clicked in."""
    return sum(count > 0 for other, count in pixels.items() if other != view)


def test_a_click_in_a_photograph_finds_the_object_in_the_others(visit: Person, demo: Scene) -> None:
    x, y = deepest(demo.mask(CHAIR)[5])
    visit.click(visit.page.exhibit.wall.photographs[5].at(x, y))
    pixels = visit.wait_for_masks(1)
    assert others(pixels, 5) >= 5
    (click,) = visit.page.session.annotator.clicks
    assert click.view == 5 and abs(click.x - x) < 2 and abs(click.y - y) < 2, (
        "a pixel of the page is about one of the photograph here"
    )
    screenshot(visit, "viewer.png")
    name, content = visit.download("PNG")
    assert name == "masks.zip"
    ious = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for view, truth in enumerate(demo.mask(CHAIR)):
            with Image.open(archive.open(f"masks/{view:03d}_view_{view}_object1.png")) as picture:
                mask = np.asarray(picture) > 0
            assert mask.sum() == pixels[view], "the page, and the file, speak of the same mask"
            ious.append((mask & truth).sum() / (mask | truth).sum())
    assert np.mean(ious) > 0.7


def test_a_click_on_the_cloud_does_the_same(visit: Person, demo: Scene) -> None:
    visit.look("Cloud")
    visit.click(middle_of(visit, demo.mask(CART)))
    pixels = visit.wait_for_masks(1)
    (click,) = visit.page.session.annotator.clicks
    assert others(pixels, click.view) >= 5
    assert demo.mask(CART)[click.view][round(click.y), round(click.x)], "it is the object that was clicked on"
    screenshot(visit, "viewer_cloud.png")


def test_a_click_in_the_photograph_before_a_camera_counts_too(visit: Person, demo: Scene) -> None:
    x, y = deepest(demo.mask(CHAIR)[5])
    panel = visit.page.exhibit.cameras[5].panel
    visit.click(panel.at(x, y))
    visit.wait_for_masks(1)
    (click,) = visit.page.session.annotator.clicks
    assert demo.mask(CHAIR)[click.view][round(click.y), round(click.x)]


def test_objects_corrections_and_undo(visit: Person, demo: Scene) -> None:
    wall = visit.page.exhibit.wall.photographs
    visit.look("Photographs")
    visit.click(wall[5].at(*deepest(demo.mask(CART)[5])))
    first = visit.wait_for_masks(1)
    visit.press("New object")
    visit.wait(lambda: visit.tab.locator("input[value='object 2']").count())
    visit.click(wall[5].at(*deepest(demo.mask(CHAIR)[5])))
    visit.wait_for_masks(2)
    visit.click(wall[5].at(*deepest(demo.mask(SMALL_CART)[5])), shift=True)
    visit.wait(lambda: len(visit.page.session.annotator.clicks) == 3)
    corrected = visit.wait_for_masks(2)
    clicks = visit.page.session.annotator.clicks
    assert [(click.view, click.positive, click.object) for click in clicks] == [
        (5, True, 1),
        (5, True, 2),
        (5, False, 2),
    ]
    assert others(corrected, 5) >= 5
    screenshot(visit, "viewer_objects.png")
    visit.press("Undo")
    visit.wait(lambda: len(visit.page.session.annotator.clicks) == 2)
    visit.press("Undo")
    visit.wait(lambda: not visit.pixels(2))
    assert visit.wait_for_masks(1) == first
    visit.press("Undo")
    visit.wait(lambda: not visit.pixels(1))
    visit.wait(lambda: visit.tab.locator("input[value='object 1']").count())
    assert "found" not in visit.tab.locator("#mvsam-status").inner_text()


def test_files_and_filter(visit: Person, demo: Scene) -> None:
    visit.press("COCO")
    visit.wait(lambda: "click on an object first" in visit.line)
    visit.click(visit.page.exhibit.wall.photographs[0].at(*deepest(demo.mask(CHAIR)[0])))
    pixels = visit.wait_for_masks(1)
    name, content = visit.download("COCO")
    found = {each["image_id"] - 1: each["area"] for each in json.loads(content)["annotations"]}
    assert name == "annotations.json" and found == {view: count for view, count in pixels.items() if count}
    name, whole = visit.download("PLY")
    assert name == "points.ply" and whole.startswith(b"ply\n")
    name, content = visit.download("GLB")
    assert name == "points.glb" and content.startswith(b"glTF")
    slider = visit.tab.get_by_role("slider").first
    slider.focus()
    for _ in range(30):
        slider.press("ArrowRight")
    visit.wait(lambda: slider.get_attribute("aria-valuenow") == "45")
    visit.tab.wait_for_timeout(1000)
    _, filtered = visit.download("PLY")
    assert len(filtered) / len(whole) == pytest.approx(0.55 / 0.85, abs=0.01)


def test_nothing_is_fetched_from_elsewhere(visit: Person) -> None:
    assert visit.requests
    assert [url for url in visit.requests if not url.removeprefix("blob:").startswith(f"{visit.page.url}/")] == []


def middle_of(visit: Person, masks: np.ndarray) -> np.ndarray:
    """The drawn point of an object that is nearest to the object's middle: [3]; masks are bool [N, h, w]."""
    exhibit = visit.page.exhibit
    points = exhibit.points
    on_object = np.concatenate([points.sampled(view, mask) for view, mask in enumerate(masks)])
    places = exhibit.positions[on_object & (exhibit.certainty[points.views, points.rows, points.columns] > 0.5)]
    return places[np.argmin(np.linalg.norm(places - np.median(places, axis=0), axis=1))]


def screenshot(visit: Person, name: str) -> None:
    if folder := os.environ.get("MVSAM_SCREENSHOTS"):
        visit.tab.mouse.move(5, 5)
        visit.tab.wait_for_timeout(2000)
        with Image.open(io.BytesIO(visit.tab.screenshot())) as picture:
            # Few colours: the files stay in the repository for good.
            picture.convert("RGB").quantize(128).save(Path(folder) / name, optimize=True)
