"""A person at the page: real Chromium, without a screen or a GPU."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mvsam_client.viewer import Page

FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 180.0  # seconds: drawing without a GPU beside a server on two cores takes its time
WINDOW = (1440, 810)


def executable() -> str | None:
    """Where Chromium is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Person:
    """Who sees and clicks.

    Args:
        tab: of the browser.
        page: that is open in it.
    """

    def __init__(self, tab: Any, page: Page) -> None:
        self.tab, self.page = tab, page
        self.requests: list[str] = []
        self.moves = 0  # of the camera, as the browser tells them
        self._looks_at = "Everything"

    def arrive(self) -> None:
        """Opens the page and waits until it has drawn something."""
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(self.page.url)
        self.tab.wait_for_selector("canvas", timeout=1000 * PATIENCE)
        self.wait(lambda: len(self.page.server.get_clients()) == 1)
        self._camera.on_update(self._count)
        self.settle()
        notice = self.tab.locator("text=Software WebGL")
        if notice.count():
            self.tab.locator(".mantine-Notification-closeButton").first.click()

    def look(self, what: str) -> None:
        """Presses a button that moves the camera, and waits until it stands there."""
        if what == self._looks_at:
            return
        before, self._looks_at = self.moves, what
        self.press(what)
        self.wait(lambda: self.moves > before)
        self.settle()

    def settle(self) -> None:
        """Waits until the camera stands still."""
        before = None
        while before is None or not np.allclose(before, self._camera.position):
            before = np.array(self._camera.position)
            self.tab.wait_for_timeout(2000)

    def press(self, button: str) -> None:
        """A button of the panel."""
        self.tab.get_by_role("button", name=button, exact=True).click(timeout=1000 * PATIENCE)

    def click(self, place: np.ndarray, *, shift: bool = False) -> None:
        """On what is seen at a place of the scene: [3]."""
        x, y = self.on_screen(place)
        if shift:
            self.tab.keyboard.down("Shift")
        self.tab.mouse.click(x, y)
        if shift:
            self.tab.keyboard.up("Shift")

    def on_screen(self, place: np.ndarray) -> tuple[float, float]:
        """Where in the window a place of the scene is seen."""
        camera = self._camera
        box = self.tab.locator("canvas").first.bounding_box()
        x, y, z = (place - camera.position) @ _rotation(camera.wxyz)
        assert z > 0, "it is behind the viewer"
        unit = box["height"] / 2 / np.tan(camera.fov / 2) / z
        return box["x"] + box["width"] / 2 + unit * x, box["y"] + box["height"] / 2 + unit * y

    def pixels(self, object_id: int) -> dict[int, int]:
        """Of an object by view, as the table says; without views whose masks are to come."""
        # One look at the page: the table is made anew with every view that is answered.
        texts = self.tab.evaluate(
            """object => [...document.querySelectorAll(`#mvsam-status td[data-object="${object}"]`)]
                .map(cell => [Number(cell.dataset.view), cell.innerText])""",
            object_id,
        )
        return {view: int(text.removesuffix(" px")) for view, text in texts if text.endswith(" px")}

    def wait_for_masks(self, object_id: int) -> dict[int, int]:
        """Until the table is full and the answer complete; `pixels`."""
        views = len(self.page.exhibit.names)
        self.wait(lambda: len(self.pixels(object_id)) == views and "Last answer" in self.line)
        return self.pixels(object_id)

    @property
    def line(self) -> str:
        """What the page says last."""
        return self.tab.locator("#mvsam-line").inner_text()

    def download(self, button: str) -> tuple[str, bytes]:
        """Name and content of what a button gives."""
        with self.tab.expect_download(timeout=1000 * PATIENCE) as waiting:
            self.press(button)
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    def wait(self, condition: Callable[[], object]) -> None:
        """Until it holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"in vain; the page says {self.line!r}"
            self.tab.wait_for_timeout(100)

    def _count(self, camera: Any) -> None:
        self.moves += 1

    @property
    def _camera(self) -> Any:
        (client,) = self.page.server.get_clients().values()
        return client.camera


@contextmanager
def person(path: str, page: Page) -> Iterator[Person]:
    """Starts the browser, and ends it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        tab = chromium.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]}, accept_downloads=True)
        yield Person(tab, page)
        chromium.close()


def _rotation(wxyz: np.ndarray) -> np.ndarray:
    """[3, 3] of a quaternion."""
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
