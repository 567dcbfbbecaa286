"""The presets: sizes of the three networks and of what they see, as frozen dataclasses in one dictionary (no torch)."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Precision(StrEnum):
    """What a graph's matrix products are computed in, and what its residual streams are kept in."""

    FP32 = "fp32"
    FP16 = "fp16"  # both in FP16
    BF16 = "bf16"  # products in BF16, streams in FP32
    MIXED = "mixed"  # products in FP16, streams in FP32


NETWORKS = ("pi3", "sam2_encoder", "mask_decoder")
PINS = "pins.json"  # beside weights: their hashes at first use
SAM2_DECODER = "sam2_decoder"  # SAM2's own, which stands in where there is no mask decoder


class Decoder(StrEnum):
    """What turns prompts into masks."""

    MVSAM = "mvsam"
    PROJECTION = "projection"  # SAM2's image decoder, prompts found in every view by their 3-D points


@dataclass(frozen=True)
class Pi3Config:
    """Sizes of π³; the defaults are the official model's (arXiv 2507.13347)."""

    dim: int = 1024
    heads: int = 16
    encoder_depth: int = 24
    decoder_depth: int = 36
    head_depth: int = 5
    camera_dim: int = 512
    patch: int = 14
    position_grid: int = 37  # side of the learned positional grid: 518 / 14
    encoder_registers: int = 4
    decoder_registers: int = 5


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of SAM2.1's Hiera trunk and the side of the square it sees."""

    embed_dim: int
    heads: int
    stages: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    windows: tuple[int, int, int, int]
    background: tuple[int, int]  # size of the background positional grid
    side: int = 1024
    official_name: str | None = None  # stem of the official checkpoint and config; None: trained here


@dataclass(frozen=True)
class EfficientNetConfig:
    """An EfficientNet-Lite0 trunk in Hiera's place, and the side of the square it sees."""

    side: int
    official_name: str | None = None  # there is none of SAM2's: trained here


class Positions(StrEnum):
    """What a prompt and an image token know of where they are (the paper's Table 3a)."""

    POINTMAP = "3d"
    IMAGE = "2d"
    NONE = "none"


class Attention(StrEnum):
    """Which image tokens a prompt token sees at once (the paper's Table 3a)."""

    SINGLE = "single"  # each view on its own
    FULL = "full"  # all views of the scene together


class PositionInjection(StrEnum):
    """Where the positional part enters the transformer."""

    ONCE = "once"  # only in the point and prompt embeddings
    EVERY_ATTENTION = "every attention"  # added again to queries and keys, as SAM does


class PositionWidth(StrEnum):
    """How the 3-D embedding reaches the decoder's width."""

    LIFTED = "lifted"  # 128 numbers, then one learned linear map shared by prompts and grid
    FULL = "full"  # a basis wide enough to need no map


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes and ablation switches of the 3-D promptable mask decoder; the defaults are the paper's model."""

    dim: int = 256
    depth: int = 2
    heads: int = 8
    mlp_dim: int = 2048
    attention_downsample: int = 2
    mask_channels: int = 16
    frequencies: int = 64  # columns of the Fourier basis b in eq. 1
    positions: Positions = Positions.POINTMAP
    attention: Attention = Attention.SINGLE
    injection: PositionInjection = PositionInjection.EVERY_ATTENTION
    position_width: PositionWidth = PositionWidth.LIFTED


@dataclass(frozen=True)
class Preset:
    """One model size: the three networks and the pixels that π³ sees of each photograph."""

    name: str
    pi3: Pi3Config
    encoder: EncoderConfig | EfficientNetConfig
    decoder: DecoderConfig
    geometry_pixels: int = 255_000

    @property
    def grid_side(self) -> int:
        """Side of the image embedding: the encoder's stride is 16."""
        return self.encoder.side // 16


def _official(name: str, encoder: EncoderConfig) -> Preset:
    return Preset(name, Pi3Config(), encoder, DecoderConfig())


_DEMO = Preset(
    "demo",
    Pi3Config(dim=128, heads=2, encoder_depth=3, decoder_depth=8, head_depth=1, camera_dim=96, position_grid=8),
    EncoderConfig(32, 1, (1, 2, 3, 1), (4, 5), (8, 4, 8, 4), (7, 7), 256),
    DecoderConfig(mlp_dim=512),
    geometry_pixels=12_544,  # 112 x 112
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _official(
            "large", EncoderConfig(144, 2, (2, 6, 36, 4), (23, 33, 43), (8, 4, 16, 8), (7, 7), 1024, "hiera_large")
        ),
        _official(
            "base_plus",
            EncoderConfig(112, 2, (2, 3, 16, 3), (12, 16, 20), (8, 4, 14, 7), (14, 14), 1024, "hiera_base_plus"),
        ),
        _official(
            "small", EncoderConfig(96, 1, (1, 2, 11, 2), (7, 10, 13), (8, 4, 14, 7), (7, 7), 1024, "hiera_small")
        ),
        _official("tiny", EncoderConfig(96, 1, (1, 2, 7, 2), (5, 7, 9), (8, 4, 14, 7), (7, 7), 1024, "hiera_tiny")),
        _DEMO,  # weights that have seen synthetic scenes alone
        # weights that have seen photographs too, and ImageNet
        replace(_DEMO, name="demo_photographs", encoder=EfficientNetConfig(side=256)),
    )
}


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: no such preset; the message lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
