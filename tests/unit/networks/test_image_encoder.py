"""The image encoder against the model that the `sam2` package builds from the same weights."""

import gzip
import json
from pathlib import Path

import pytest
import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.presets import PRESETS
from mvsam.networks.seeded import seed_weights
from mvsam.networks.weights import encoder_state, official_sam2_listing

DATA = Path(__file__).parents[2] / "data"


def test_agrees_with_sam2s_own_forward_image() -> None:
    config = compose(config_name="configs/sam2.1/sam2.1_hiera_t")
    OmegaConf.resolve(config)
    official = instantiate(config.model, _recursive_=True).eval()
    seed_weights(official)
    encoder = Sam2ImageEncoder(PRESETS["tiny"].encoder).eval()
    encoder.load_state_dict(encoder_state(official.state_dict()), strict=True)
    images = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        backbone = official.forward_image(images)
        _, maps, _, _ = official._prepare_backbone_features(backbone)
        high_res_0, high_res_1, embedding = (x.permute(1, 2, 0) for x in maps)
        expected = (embedding + official.no_mem_embed.transpose(1, 2), high_res_0, high_res_1)
        found = encoder(images)
        encoder.fold_positions()
        folded = encoder(images)
    for a, b, c in zip(found, expected, folded, strict=True):
        torch.testing.assert_close(a.flatten(2), b, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(a, c, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["tiny", "small", "base_plus", "large"])
def test_official_listing_is_that_of_the_published_checkpoint(name: str) -> None:
    with gzip.open(DATA / "state_dict_shapes.json.gz", "rt") as file:
        published = {key: tuple(shape) for key, shape in json.load(file)[name].items()}
    assert official_sam2_listing(PRESETS[name]) == published


@pytest.mark.parametrize("name", ["demo", "demo_photographs"])
def test_views_do_not_influence_one_another(name: str) -> None:
    encoder = Sam2ImageEncoder(PRESETS[name].encoder).eval()
    seed_weights(encoder)
    images = torch.randn(3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for together, alone in zip(encoder(images), encoder(images[1:2]), strict=True):
            torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)
