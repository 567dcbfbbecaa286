"""What a decoder run starts from: new weights, the preset's own, or SAM2.1's."""

from pathlib import Path

import torch
from torch import nn

from mvsam.networks.checkpoints import WeightSource, build_network, load_network
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import Preset
from mvsam.training.corrective_clicks import Corrections
from mvsam.training.decoder_task import PromptedEncoderDecoder
from mvsam.training.distillation import FeaturePredictor
from mvsam.training.from_sam2 import start_from_sam2
from mvsam.training.matching_start import start_decoder


def decoder_model(
    preset: Preset,
    *,
    train_encoder: bool,
    seed: int,
    weights: Path,
    own: bool,
    sam2: Path | None,
    corrections: Corrections = Corrections(),  # noqa: B008  frozen
    distilled: bool = False,
) -> PromptedEncoderDecoder:
    """A decoder to train, and its image encoder where that is trained too.

    Args:
        preset: sizes.
        train_encoder: whether the encoder is part of the model.
        seed: of new weights.
        weights: directory of all weights.
        own: start from the preset's own weights there.
        corrections: how the model corrects its answers.
        sam2: a SAM2.1 checkpoint that the decoder starts from where names and shapes match.
        distilled: whether the encoder learns from a teacher besides.

    Raises:
        CheckpointError: a file to start from is missing or does not fit.
    """
    torch.manual_seed(seed)

    def network(name: str) -> nn.Module:
        return load_network(preset, name, WeightSource.FILES, weights)[0] if own else build_network(preset, name)

    encoder = network("sam2_encoder") if train_encoder else nn.Identity()
    decoder = network("mask_decoder")
    assert isinstance(encoder, Sam2ImageEncoder | nn.Identity) and isinstance(decoder, MaskDecoder)
    if sam2 is not None:
        start_from_sam2(decoder, sam2, weights)
    elif not own:
        start_decoder(decoder)
    return PromptedEncoderDecoder(encoder, decoder, corrections, FeaturePredictor() if distilled else None)


def frozen_encoder(preset: Preset, weights: Path) -> Sam2ImageEncoder:
    """The preset's image encoder as it is.

    Raises:
        CheckpointError: it has no weights.
    """
    encoder, _ = load_network(preset, "sam2_encoder", WeightSource.FILES, weights)
    assert isinstance(encoder, Sam2ImageEncoder)
    return encoder


def frozen_pi3(preset: Preset, weights: Path) -> Pi3:
    """The preset's π³ as it is.

    Raises:
        CheckpointError: it has no weights.
    """
    pi3, _ = load_network(preset, "pi3", WeightSource.FILES, weights)
    assert isinstance(pi3, Pi3)
    return pi3
