"""What the page draws is what the session has found."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mvsam_client.viewer import Exhibit, Page
from mvsam_client.viewer.picking import Pixel
from tests.clients.viewer import toy
from tests.waiting import wait_until

BALL = Pixel(2, 140.0, 105.0)


@pytest.fixture
def page(exhibit: Exhibit) -> Iterator[Page]:
    pytest.importorskip("viser")
    with Page(toy.ToyScene(), exhibit, port=18073) as made:  # pyright: ignore[reportArgumentType]
        yield made


def node(page: Page, name: str) -> Any:
    return page.server.scene.get_handle_by_name(name)


def test_masks_come_to_the_cloud_and_all_photographs_and_go_again(page: Page) -> None:
    views = range(toy.VIEWS)
    cloud = node(page, "/cloud").colors.copy()
    pictures = [node(page, f"/wall/photographs/{view}").image.copy() for view in views]
    frusta = [node(page, f"/cameras/{view}").image.copy() for view in views]
    page.session.click(BALL, positive=True, object_id=1)
    wait_until(lambda: page.session.result)
    # While answers come in, the cloud shows the first of them.
    wait_until(lambda: np.array_equal((node(page, "/cloud").colors != cloud).any(axis=1), cloud[:, 1] < 100))
    for view, mask in enumerate(toy.masks()):
        changed = (node(page, f"/wall/photographs/{view}").image != pictures[view]).any(axis=-1)
        np.testing.assert_array_equal(changed, mask)
        assert (node(page, f"/cameras/{view}").image != frusta[view]).any()
    assert len(node(page, "/clicks").points) == 1
    page.session.undo()
    wait_until(lambda: node(page, "/clicks") is None)
    wait_until(lambda: (node(page, "/cloud").colors == cloud).all())
    for view in views:
        np.testing.assert_array_equal(node(page, f"/wall/photographs/{view}").image, pictures[view])
        np.testing.assert_array_equal(node(page, f"/cameras/{view}").image, frusta[view])


def test_a_second_click_feeds_no_answer_back(page: Page) -> None:
    scene: Any = page.session.annotator.scene
    for count in (1, 2):
        page.session.click(BALL, positive=True, object_id=1)
        wait_until(lambda count=count: page.session.result and len(scene.received) == count)
    wait_until(lambda: page.session.result is page.session.annotator.segmentation)
    assert scene.fed_back == ["", ""]


def test_the_click_is_marked_at_its_point_of_the_cloud(page: Page) -> None:
    page.session.click(BALL, positive=True, object_id=1)
    wait_until(lambda: node(page, "/clicks") is not None)
    points = page.exhibit.points
    here = points.of_view(BALL.view)
    distances = np.linalg.norm(page.exhibit.positions[here] - node(page, "/clicks").points[0], axis=1)
    u, v = points.shares[here][np.argmin(distances)]
    assert abs(u * 280 - BALL.x) < 5 and abs(v * 210 - BALL.y) < 5


def test_it_is_for_this_machine_alone(page: Page) -> None:
    assert page.url.startswith("http://127.0.0.1:")


def test_two_pages_take_two_ports(page: Page, exhibit: Exhibit) -> None:
    with Page(toy.ToyScene(), exhibit, port=page.server.get_port()) as other:  # pyright: ignore[reportArgumentType]
        assert other.url != page.url
