"""SAM2's video predictor, as the `sam2` package builds it, around the image encoder of a preset; no torchvision."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mvsam.networks.checkpoints import load_strictly
from mvsam.networks.pins import pinned
from mvsam.networks.presets import EncoderConfig, Preset
from mvsam.networks.seeded import seed_weights
from mvsam.networks.weights import OFFICIAL, read_sam2, sam2_file

BASE = "configs/sam2.1/sam2.1_hiera_t.yaml"  # its sizes differ only in the trunk, which is the preset's
PREDICTOR = "sam2.sam2_video_predictor.SAM2VideoPredictor"
# What `build_sam2_video_predictor` adds to every configuration, but for the filling of holes.
ADDED = {
    "binarize_mask_from_pts_for_mem_enc": True,
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
}
SURE = 10.0  # logit


def video_predictor(preset: Preset) -> Any:
    """SAM2.1's predictor with seeded random weights.

    Hole filling is off: it is no part of the network, and needs an extension that is compiled for GPUs.
    """
    with torch.random.fork_rng(devices=[]):  # the basis that encodes clicks is drawn where it is built, and no weight
        torch.manual_seed(0)
        predictor = _built(preset)
    seed_weights(predictor)
    with torch.no_grad():  # random weights would see no object, and propagate masks that are empty everywhere
        predictor.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(SURE)
    return predictor.eval()


def official_checkpoint(preset: Preset, directory: Path) -> Path | None:
    """The preset's official SAM2.1 file under a directory of weights; None where there is none."""
    if preset.encoder.official_name is None:
        return None
    path = directory / OFFICIAL / sam2_file(preset).name
    return path if path.is_file() else None


def official_video_predictor(preset: Preset, directory: Path, checkpoint: Path) -> Any:
    """SAM2.1's predictor with the weights of its authors; hole filling is off, as in `video_predictor`.

    Args:
        preset: sizes.
        directory: of weights and their pins.
        checkpoint: of `official_checkpoint`.

    Raises:
        CheckpointError: the file has changed since it was pinned, or does not fit.
    """
    predictor = _built(preset)
    with pinned(directory, checkpoint):
        load_strictly(predictor, read_sam2(checkpoint), checkpoint)
    return predictor.eval()


@contextlib.contextmanager
def without_progress_bars() -> Iterator[None]:
    """The predictor draws one for every video and every propagation."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def _built(preset: Preset) -> Any:
    encoder, grid = preset.encoder, preset.grid_side
    if not isinstance(encoder, EncoderConfig):
        raise ValueError(f"preset {preset.name} has no Hiera trunk, which SAM2's predictor is made of; choose another")
    model = OmegaConf.to_container(compose(config_name=BASE).model, resolve=True)
    assert isinstance(model, dict)
    model |= {"_target_": PREDICTOR, "image_size": encoder.side} | ADDED
    image_encoder = model["image_encoder"]
    image_encoder["trunk"] |= {
        "embed_dim": encoder.embed_dim,
        "num_heads": encoder.heads,
        "stages": list(encoder.stages),
        "global_att_blocks": list(encoder.global_blocks),
        "window_spec": list(encoder.windows),
        "window_pos_embed_bkg_spatial_size": list(encoder.background),
    }
    image_encoder["neck"]["backbone_channel_list"] = [encoder.embed_dim << stage for stage in (3, 2, 1, 0)]
    for attention in ("self_attention", "cross_attention"):
        model["memory_attention"]["layer"][attention]["feat_sizes"] = [grid, grid]
    return instantiate(OmegaConf.create(model), _recursive_=True)
