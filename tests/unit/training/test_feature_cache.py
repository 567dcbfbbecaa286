"""The feature cache: exact to FP16, never another network's, never beyond its budget, never half a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mvsam.networks.image_encoder import ImageFeatures
from mvsam.networks.presets import PRESETS
from mvsam.pipeline.request import Geometry
from mvsam.training import feature_cache
from mvsam.training.feature_cache import Encoded, FeatureCache, fingerprint, photograph_bytes

DEMO = PRESETS["demo"]


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))  # with a count, an integer without axes


def cache(folder: Path, seed: int = 0) -> FeatureCache:
    return FeatureCache.open(folder, DEMO, {"pi3": network(seed)}, photographs=4, budget_bytes=10**9)


def encoded(views: int = 1, side: int = DEMO.grid_side, scale: float = 1.0) -> Encoded:
    generator = torch.Generator().manual_seed(views)

    def noise(channels: int, factor: int) -> torch.Tensor:
        return scale * torch.randn(views, channels, factor * side, factor * side, generator=generator)

    rng = np.random.default_rng(views)
    shape = (views, 112, 112)
    points = rng.normal(size=(*shape, 3)).astype(np.float32)
    geometry = Geometry(points, rng.random(shape, np.float32), rng.random(shape) < 0.9)
    return Encoded(ImageFeatures(noise(256, 1), noise(32, 4), noise(64, 2)), geometry)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    kept, key = encoded(2), "sa_000000/sa_1 ../ü"
    cache(tmp_path).put(key, kept)
    found = cache(tmp_path).get(key)
    assert found is not None
    assert found.features is not None and kept.features is not None
    for part, original in zip(found.features, kept.features, strict=True):
        assert torch.equal(part, original.half())
    assert found.geometry is not None and kept.geometry is not None
    for name in ("points", "confidence", "valid"):
        np.testing.assert_array_equal(getattr(found.geometry, name), getattr(kept.geometry, name))
    assert cache(tmp_path).get("sa_000000/sa_2") is None


def test_examples_with_geometry_of_their_own_keep_features_only(tmp_path: Path) -> None:
    cache(tmp_path).put("scene/a", encoded()._replace(geometry=None))
    found = cache(tmp_path).get("scene/a")
    assert found is not None and found.geometry is None


def test_where_the_encoder_is_trained_geometry_alone_is_kept(tmp_path: Path) -> None:
    cache(tmp_path).put("scene/a", encoded()._replace(features=None))
    found = cache(tmp_path).get("scene/a")
    assert found is not None and found.features is None and found.geometry is not None


def test_other_weights_find_nothing(tmp_path: Path) -> None:
    cache(tmp_path, seed=0).put("sa_1", encoded())
    assert cache(tmp_path, seed=1).get("sa_1") is None
    assert cache(tmp_path, seed=0).get("sa_1") is not None


def test_the_fingerprint_tells_weights_and_sizes_apart() -> None:
    same = fingerprint(DEMO, {"pi3": network()})
    assert fingerprint(DEMO, {"pi3": network()}) == same
    changed = network()
    with torch.no_grad():
        changed[0].bias[2] += 1e-6  # type: ignore[index]
    assert fingerprint(DEMO, {"pi3": changed}) != same
    assert fingerprint(DEMO, {"sam2_encoder": network()}) != same
    assert fingerprint(PRESETS["tiny"], {"pi3": network()}) != same


def test_a_cache_beyond_its_budget_is_refused_with_the_numbers(tmp_path: Path) -> None:
    message = "11186 photographs takes about 142.3 GB .12.7 MB each., the budget is 50.0 GB; cache at most 3929 photog"
    with pytest.raises(ValueError, match=message):
        FeatureCache.open(tmp_path / "new", PRESETS["large"], {}, photographs=11_186, budget_bytes=50 * 10**9)
    assert not (tmp_path / "new").exists()


def test_the_estimate_is_what_a_photograph_takes(tmp_path: Path) -> None:
    cache(tmp_path).put("sa_1", encoded())
    (file,) = tmp_path.rglob("*.safetensors")
    assert photograph_bytes(DEMO) == pytest.approx(file.stat().st_size, rel=0.01)
    features = photograph_bytes(PRESETS["large"]) - 17 * PRESETS["large"].geometry_pixels
    assert features == pytest.approx(8.4e6, rel=0.01)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_cache, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path).put("sa_1", encoded())
    assert cache(tmp_path).get("sa_1") is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("length", [0, 5, 3000])
def test_a_damaged_file_counts_as_missing_and_is_replaced(tmp_path: Path, length: int) -> None:
    cache(tmp_path).put("sa_1", encoded())
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:length])
    assert cache(tmp_path).get("sa_1") is None
    cache(tmp_path).put("sa_1", encoded())
    assert cache(tmp_path).get("sa_1") is not None


def test_features_beyond_fp16_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sa_1: image_embedding has values beyond FP16's 65504; train without a cache"):
        cache(tmp_path).put("sa_1", encoded(scale=1e6))
