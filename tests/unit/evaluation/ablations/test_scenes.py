"""Scenes are rendered and encoded once, and thinned without moving anything."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvsam.evaluation.ablations import scenes
from mvsam.evaluation.ablations.scenes import prepared, thinned, turned, with_views
from mvsam.evaluation.ablations.variants import PRESET, SCALES
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.seeded import seed_weights
from mvsam.pipeline.resizing import encoder_image
from mvsam.synthetic.cache import unproject
from mvsam.synthetic.scene import Split, sample_scene

SCALE = replace(SCALES["taste"], training_scenes=1, held_out_scenes=1, long_views=2)


def encoder() -> Sam2ImageEncoder:
    network = Sam2ImageEncoder(PRESET.encoder)
    seed_weights(network)
    return network.eval()


def test_thinned_cameras_see_the_thinned_points() -> None:
    scene = thinned(sample_scene(5, Split.TRAIN, views=2, height=64, width=64))
    assert scene.depth.shape == (2, 32, 32)
    assert np.allclose(unproject(scene.depth, scene.camera_poses, scene.intrinsics), scene.points, atol=1e-4)


def test_views_in_another_order() -> None:
    scene = sample_scene(5, Split.TRAIN, views=3, height=32, width=32)
    turned = with_views(scene, np.array([2, 0]))
    assert np.array_equal(turned.points, scene.points[[2, 0]])
    assert np.array_equal(turned.camera_poses, scene.camera_poses[[2, 0]])


def test_another_heading_changes_no_picture() -> None:
    scene = sample_scene(5, Split.TRAIN, views=2, height=32, width=32)
    other = turned(scene, np.random.default_rng(0))
    assert np.abs(other.points[..., :2] - scene.points[..., :2]).max() > 0.1
    assert np.allclose(other.points[..., 2], scene.points[..., 2], atol=1e-5)
    assert np.allclose(unproject(scene.depth, other.camera_poses, scene.intrinsics), other.points, atol=1e-4)


def test_rendered_and_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = encoder()
    material = prepared(tmp_path, SCALE, network, "a" * 64)
    assert [len(part.scenes) for part in material] == [1, 1, 1]
    (cached,) = (tmp_path / "scenes").glob("test-*x2-*")
    whole = scenes.cache.CachedScenes(cached)[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(encoder_image(whole.images[1], PRESET.encoder.side))[None])
    for found, exact in zip(material.long.features(0, np.array([1])), expected, strict=True):
        assert torch.allclose(found, exact, rtol=1e-3, atol=1e-3), "as FP16 keeps them"

    monkeypatch.setattr(scenes, "_encode", None)
    prepared(tmp_path, SCALE, network, "a" * 64)
    with pytest.raises(TypeError):
        prepared(tmp_path, SCALE, network, "b" * 64)  # another encoder's features are not these
