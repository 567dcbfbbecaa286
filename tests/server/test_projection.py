"""A repository with SAM2's own decoder: scenes as ever, and masks in every view that shows what was clicked on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from export.repository import assemble
from export.to_onnx import export_graph
from mvsam.networks.checkpoints import WeightSource
from mvsam.networks.image_decoder import IMAGE_DECODER
from mvsam.networks.presets import PRESETS, Decoder
from mvsam.synthetic.scene import Scene as Synthetic
from mvsam_client import Click, Client, Geometry, MvsamError
from server.trials.running import Served, served


@pytest.fixture(scope="module")
def service(demo_graphs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("projection")
    for name in ("pi3", "sam2_encoder"):
        (folder / name).symlink_to(demo_graphs / name)
    export_graph(IMAGE_DECODER, PRESETS["demo"], WeightSource.SEEDED, folder, folder / IMAGE_DECODER.name)
    repository = assemble(folder, folder / "repository", decoder=Decoder.PROJECTION)
    with served(repository, folder / "triton.log") as service:
        yield service


def test_a_click_reaches_the_views_that_show_it(service, photographs, scene: Synthetic):
    geometry = Geometry(scene.points, np.ones(scene.points.shape[:3], np.float32))
    with Client(service.grpc_url) as client, client.encode(photographs, geometry=geometry) as encoded:
        found = encoded.segment(points=[Click(view=2, x=100, y=210)])
        assert next(encoded.stream(points=[Click(view=2, x=100, y=210)])).view == 2
        assert found.areas.shape == (1, 4) and found.areas[0, 2] > 0
        better = encoded.segment(points=[Click(view=2, x=100, y=210)], previous=found.answer)
        assert not np.array_equal(better.areas, found.areas)
        nothing = encoded.segment(points=[Click(view=2, x=100, y=210, positive=False), Click(view=1, x=30, y=40)])
        assert nothing.areas.shape == (1, 4)


def test_with_pi3s_geometry_too(service, photographs):
    with Client(service.grpc_url) as client, client.encode(photographs) as encoded:
        assert encoded.segment(points=[Click(view=0, x=30, y=40)]).areas[0, 0] > 0
        encoded.remove([3])
        assert encoded.segment(points=[Click(view=0, x=30, y=40)]).areas.shape == (1, 3)


def test_there_is_no_ensemble(service, photographs):
    with Client(service.grpc_url) as client, pytest.raises(MvsamError, match="mvsam"):
        client.segment(photographs, points=[Click(view=0, x=30, y=40)])
