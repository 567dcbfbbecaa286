"""What a decoder run starts from: new weights, the preset's own, ImageNet's, or SAM2.1's."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mvsam.networks.checkpoints import WeightSource, build_network, load_network
from mvsam.networks.efficientnet_lite import EfficientNetLite
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pi3 import Pi3
from mvsam.networks.presets import PRESETS, Preset
from mvsam.training.corrective_clicks import Corrections
from mvsam.training.decoder_task import PromptedEncoderDecoder
from mvsam.training.from_imagenet import start_from_imagenet
from mvsam.training.from_sam2 import start_from_sam2
from mvsam.training.matching_start import start_decoder

FROZEN_STAGES = 2  # of an EfficientNet trunk, its first, which see edges and textures: half of the time of a step


def decoder_model(
    preset: Preset,
    *,
    train_encoder: bool,
    seed: int,
    weights: Path,
    own: bool,
    sam2: Path | None,
    imagenet: bool = False,
    corrections: Corrections = Corrections(),  # noqa: B008  frozen
) -> PromptedEncoderDecoder:
    """A decoder to train, and its image encoder where that is trained too.

    Args:
        preset: sizes.
        train_encoder: whether the encoder is part of the model.
        seed: of new weights.
        weights: directory of all weights.
        own: start from the preset's own weights there.
        sam2: a SAM2.1 checkpoint that the decoder starts from where names and shapes match.
        imagenet: the encoder's trunk starts from ImageNet's weights, and the decoder from the demo preset's.
        corrections: how the model corrects its answers.

    Raises:
        ValueError: ImageNet's weights are not to be had, or are for another trunk.
        CheckpointError: a file to start from is missing or does not fit.
    """
    torch.manual_seed(seed)

    def network(name: str) -> nn.Module:
        return load_network(preset, name, WeightSource.FILES, weights)[0] if own else build_network(preset, name)

    encoder = network("sam2_encoder") if train_encoder else nn.Identity()
    decoder, _ = (
        load_network(PRESETS["demo"], "mask_decoder", WeightSource.FILES, weights)
        if imagenet
        else (network("mask_decoder"), {})
    )
    assert isinstance(encoder, Sam2ImageEncoder | nn.Identity) and isinstance(decoder, MaskDecoder)
    if sam2 is not None:
        start_from_sam2(decoder, sam2, weights)
    elif not (own or imagenet):
        start_decoder(decoder)
    trunk = encoder.image_encoder.trunk if isinstance(encoder, Sam2ImageEncoder) else None
    if imagenet:
        if not isinstance(trunk, EfficientNetLite):
            raise ValueError(
                f"--init-from-imagenet is for an encoder that is trained and has an EfficientNet trunk: {preset.name} "
                "has none under this recipe; leave the option out"
            )
        start_from_imagenet(trunk)
    if isinstance(trunk, EfficientNetLite):
        for part in (trunk.stem, *trunk.stages[:FROZEN_STAGES]):
            part.requires_grad_(False)
        movable: Any = encoder  # torch's stubs do not know that a module has a memory format
        movable.to(memory_format=torch.channels_last)  # convolutions are faster so
    return PromptedEncoderDecoder(encoder, decoder, corrections)


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
