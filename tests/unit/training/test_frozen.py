"""What training sees of photographs is what serving sees, and a cache never confuses them."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mvsam.networks.checkpoints import build_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.seeded import seed_weights
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.preprocessing import preprocess
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.pipeline.resizing import encoder_image
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.training.example import Example
from mvsam.training.feature_cache import Encoded, FeatureCache
from mvsam.training.frozen import FrozenNetworks, laid_out
from tests.unit.training.stream_toy import PRESET

SIDE = PRESET.encoder.side


@pytest.fixture(scope="module")
def networks() -> FrozenNetworks:
    pi3, encoder = (build_network(PRESET, name) for name in ("pi3", "sam2_encoder"))
    assert isinstance(pi3, Pi3) and isinstance(encoder, Sam2ImageEncoder)
    for network in (pi3, encoder):
        seed_weights(network)
    return FrozenNetworks(PRESET, pi3, encoder, torch.device("cpu"))


def photographs(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def example(pictures: list[np.ndarray], geometry: Geometry | None = None) -> Example:
    return Example("scene/a", pictures, np.ones((1, *pictures[0].shape[:2]), bool), geometry)


def encoded(networks: FrozenNetworks, pictures: list[np.ndarray], geometry: Geometry | None = None) -> Encoded:
    return networks.encoded(example(pictures, geometry), encoder_image(pictures[0], SIDE))


@pytest.mark.parametrize("sizes", [[(48, 64)], [(64, 48), (64, 48), (40, 90)]])
def test_networks_see_what_they_see_when_served(networks: FrozenNetworks, sizes: list[tuple[int, int]]) -> None:
    pictures = photographs(*sizes)
    files = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        files.append(buffer.getvalue())
    click = Prompts.of([[[1, 1]]], [[1]], [[0]])
    served = preprocess(
        files, click, encoder_side=SIDE, geometry_pixels=PRESET.geometry_pixels, limits=Limits(), patch=PRESET.pi3.patch
    )
    assert networks.pi3 is not None and networks.encoder is not None and served.geometry_images is not None
    pointmap = PyTorchSession(GRAPHS["pi3"], networks.pi3).run({"images": served.geometry_images})
    features, geometry = encoded(networks, pictures)
    assert geometry is not None and features is not None
    np.testing.assert_allclose(geometry.points, pointmap["points"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(geometry.confidence, pointmap["confidence"], rtol=1e-5)
    assert laid_out(pictures, PRESET)[1] == [tuple(rect) for rect in served.geometry_rects.astype(int).tolist()]
    for valid, (x, y, w, h) in zip(geometry.valid, served.geometry_rects.astype(int), strict=True):
        assert valid.sum() == w * h and valid[y : y + h, x : x + w].all()
    with torch.no_grad():
        for one, other in zip(features, networks.encoder(torch.from_numpy(served.encoder_images[:1])), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_own_geometry_is_left_alone(networks: FrozenNetworks) -> None:
    own = Geometry.of(np.ones((1, 6, 8, 3), np.float32), np.ones((1, 6, 8), np.float32))
    without = FrozenNetworks(PRESET, None, networks.encoder, torch.device("cpu"))
    assert encoded(without, photographs((48, 64)), own).geometry is None
    with pytest.raises(ValueError, match="photographs without geometry"):
        encoded(without, photographs((48, 64)))


def test_the_cache_goes_by_the_pixels(networks: FrozenNetworks, tmp_path: Path) -> None:
    cache = FeatureCache.open(tmp_path, PRESET, {}, photographs=2, budget_bytes=10**9)
    cached = FrozenNetworks(PRESET, networks.pi3, networks.encoder, torch.device("cpu"), cache)
    pictures = photographs((48, 64), (48, 64))
    first, again = encoded(cached, pictures), encoded(cached, pictures)
    assert first.features is not None and again.features is not None
    for one, other in zip(first.features, again.features, strict=True):
        assert torch.equal(one, other), "rounded alike when it is new"
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    pictures[1][0, 0, 0] ^= 1
    encoded(cached, pictures)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
