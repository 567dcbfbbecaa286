"""The whole service with the demo preset, and photographs of a procedural scene."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from mvsam.synthetic.scene import make_scene
from mvsam_client import Client, Scene
from server.trials.running import Served, served

VIEWS, HEIGHT, WIDTH = 6, 120, 160
INSIDE = 'mvsam_requests_inside{model="mvsam_scene"}'


@pytest.fixture(scope="package")
def service(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo_repository, tmp_path_factory.mktemp("live") / "triton.log") as service:
        yield service


@pytest.fixture(scope="package")
def photographs() -> list[bytes]:
    files = []
    for image in make_scene(7, views=VIEWS, height=HEIGHT, width=WIDTH).images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


@pytest.fixture(scope="package")
def client(service: Served) -> Iterator[Client]:
    with Client(service.grpc_url) as client:
        yield client


@pytest.fixture(scope="package")
def encoded(client: Client, photographs: list[bytes]) -> Scene:
    return client.encode(photographs)


@pytest.fixture(scope="package")
def lose(service: Served) -> Callable[[str], None]:
    """Lets the server forget a scene, as another client may."""

    def closed(scene_id: str) -> None:
        with Client(service.grpc_url) as other:
            other.scene(scene_id).close()

    return closed
