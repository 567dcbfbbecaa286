"""A repository with SAM2's own decoder: scenes as ever, and masks in every view that shows what was clicked on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from export.repository import assemble
from export.to_onnx import export_graph
from mvsam.networks.checkpoints import WeightSource
from mvsam.networks.image_decoder import GRAPH
from mvsam.networks.presets import PRESETS, Decoder
from mvsam.pipeline.prompts import MASK_LOGIT
from mvsam.synthetic.scene import Scene as Synthetic
from mvsam_client import Click, Client, Geometry, MvsamError
from mvsam_client.connection import Connection
from mvsam_client.prompts import prompt_tensors
from server.trials.running import Served, served


@pytest.fixture(scope="module")
def service(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("projection")
    for name in ("pi3", "sam2_encoder"):
        (folder / name).symlink_to(demo_graphs / name)
    export_graph(GRAPH, PRESETS["demo"], WeightSource.SEEDED, folder, folder / GRAPH.name)
    repository = assemble(folder, folder / "repository", decoder=Decoder.PROJECTION)
    with served(repository, folder / "triton.log") as service:
        yield service


def logits(service: Served, scene_id: str, **more: str) -> dict[int, np.ndarray]:
    """Of a click in view 2, by view: random weights may make empty masks, but no two logits alike."""
    words = {"ACTION": "segment", "SCENE": scene_id} | more
    tensors = prompt_tensors([Click(view=2, x=100, y=210)]) | {
        name: np.array([word.encode()], object) for name, word in words.items()
    }
    connection = Connection(service.grpc_url)
    parts = list(connection.stream("mvsam_scene", tensors, ("VIEW", "mask_logits", "ANSWER"), timeout=60))
    connection.close()
    return {int(view): part["mask_logits"][0, place] for part in parts for place, view in enumerate(part["VIEW"])}


def test_a_click_reaches_the_views_that_show_it(service, photographs, scene: Synthetic):
    geometry = Geometry(scene.points, np.ones(scene.points.shape[:3], np.float32))
    with Client(service.grpc_url) as client, client.encode(photographs, geometry=geometry) as encoded:
        found = logits(service, encoded.id)
        assert next(iter(found)) == 2 and sorted(found) == [0, 1, 2, 3]
        assert np.ptp(found[2]) > 0
        assert all(np.ptp(each) > 0 or (each == -MASK_LOGIT).all() for each in found.values())
        answer = encoded.segment(points=[Click(view=2, x=100, y=210)]).answer
        assert not np.allclose(logits(service, encoded.id, PREVIOUS=answer)[2], found[2])


def test_with_pi3s_geometry_too(service, photographs):
    with Client(service.grpc_url) as client, client.encode(photographs) as encoded:
        assert np.ptp(logits(service, encoded.id)[2]) > 0
        encoded.remove([3])
        assert encoded.segment(points=[Click(view=0, x=30, y=40)]).areas.shape == (1, 3)


def test_there_is_no_ensemble(service, photographs):
    with Client(service.grpc_url) as client, pytest.raises(MvsamError, match="mvsam"):
        client.segment(photographs, points=[Click(view=0, x=30, y=40)])
