"""`make weights`: which official files go where, and their conversion to hash-pinned safetensors.

The official files give geometry (π³) and image features (SAM2.1) only. MV-SAM's own decoder has no public weights.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from mvsam.networks.checkpoints import (
    CheckpointError,
    build_network,
    check_listing,
    load_strictly,
    read_pickle,
    read_safetensors,
    shapes_of,
    weights_path,
)
from mvsam.networks.pins import pin, pinned
from mvsam.networks.presets import PRESETS, SAM2_DECODER, Preset, preset_named

OFFICIAL = "official"
AGAIN = "download it again from where `make weights` says"


@dataclass(frozen=True)
class OfficialFile:
    """A checkpoint that a user downloads."""

    name: str  # its name under weights/official
    origin: str
    licence: str


def pi3_file() -> OfficialFile:
    """π³'s checkpoint, the same for every official preset."""
    return OfficialFile(
        "pi3.safetensors",
        "model.safetensors of https://huggingface.co/yyfz233/Pi3",
        "CC BY-NC 4.0: no commercial use",
    )


def sam2_file(preset: Preset) -> OfficialFile:
    """The SAM2.1 checkpoint of a preset."""
    name = f"sam2.1_{preset.encoder.official_name}.pt"
    return OfficialFile(name, f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{name}", "Apache-2.0")


def official_sam2_listing(preset: Preset) -> dict[str, tuple[int, ...]]:
    """Key to shape of the whole official SAM2.1 model, as the `sam2` package builds it."""
    from hydra import compose
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    suffix = {"hiera_tiny": "t", "hiera_small": "s", "hiera_base_plus": "b+", "hiera_large": "l"}
    name = preset.encoder.official_name
    assert name is not None
    config = compose(config_name=f"configs/sam2.1/sam2.1_hiera_{suffix[name]}")
    OmegaConf.resolve(config)
    return shapes_of(instantiate(config.model, _recursive_=True))


def read_sam2(path: Path) -> dict[str, Tensor]:
    """The state dict of an official SAM2.1 checkpoint.

    Raises:
        CheckpointError: it is not such a file.
    """
    content = read_pickle(path, AGAIN)
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise CheckpointError(f"{path} has no state dict under 'model': is it SAM2.1's own checkpoint?")
    return content["model"]


def encoder_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a SAM2.1 state dict that our image encoder holds, under its names."""
    kept = {k: v for k, v in state.items() if k.startswith("image_encoder.") or k == "no_mem_embed"}
    for layer in ("conv_s0", "conv_s1"):
        for part in ("weight", "bias"):
            kept[f"{layer}.{part}"] = state[f"sam_mask_decoder.{layer}.{part}"]
    return kept


def decoder_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a SAM2.1 state dict that is its own image decoder."""
    return {k: v for k, v in state.items() if k.startswith(("sam_prompt_encoder.", "sam_mask_decoder."))}


def convert_pi3(preset: Preset, directory: Path) -> Path:
    """Checks the official π³ file and installs it for the preset.

    Raises:
        CheckpointError: missing, changed since pinned, or unfit.
    """
    source = _present(directory, pi3_file())
    with pinned(directory, source) as digest:
        state, _ = read_safetensors(source, AGAIN)
        load_strictly(build_network(preset, "pi3"), state, source)
    return _save(state, weights_path(directory, preset, "pi3"), directory, digest)


def convert_sam2(preset: Preset, directory: Path) -> Path:
    """Checks the whole official SAM2.1 checkpoint and keeps its image encoder and its image decoder, a file each.

    Raises:
        CheckpointError: missing, changed since pinned, or unfit.
    """
    source = _present(directory, sam2_file(preset))
    with pinned(directory, source) as digest:
        state = read_sam2(source)
        check_listing({k: tuple(v.shape) for k, v in state.items()}, official_sam2_listing(preset), source)
        parts = {"sam2_encoder": encoder_state(state), SAM2_DECODER: decoder_state(state)}
        for network, part in parts.items():
            load_strictly(build_network(preset, network), part, source)
    encoder, _ = (
        _save({k: v.contiguous() for k, v in part.items()}, weights_path(directory, preset, network), directory, digest)
        for network, part in parts.items()
    )
    return encoder


def _present(directory: Path, file: OfficialFile) -> Path:
    path = directory / OFFICIAL / file.name
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: put {file.origin} there ({file.licence})")
    return path


def _save(state: dict[str, Tensor], target: Path, directory: Path, source_digest: str) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    save_file(state, temporary, metadata={"source": "official", "source_sha256": source_digest})
    temporary.replace(target)
    pin(directory, target)
    return target


def main() -> int:
    """Prints where the preset's files belong, and converts those that are there."""
    parser = argparse.ArgumentParser(prog="make weights", description=main.__doc__)
    parser.add_argument("--preset", default="large", choices=[n for n, p in PRESETS.items() if p.encoder.official_name])
    parser.add_argument("--directory", type=Path, default=Path("weights"))
    arguments = parser.parse_args()
    preset = preset_named(arguments.preset)
    directory: Path = arguments.directory
    print(f"Weights of preset {preset.name}, under {directory}/:")
    failed = False
    for file, convert in ((pi3_file(), convert_pi3), (sam2_file(preset), convert_sam2)):
        path = directory / OFFICIAL / file.name
        print(f"  {path}\n    from    {file.origin}\n    licence {file.licence}")
        try:
            print(f"    ready   {convert(preset, directory)}")
        except CheckpointError as error:
            failed = True
            print(f"    WANTING {error}")
    print(
        f"  {weights_path(directory, preset, 'mask_decoder')}\n"
        "    MV-SAM's own decoder has no public weights: the official files give geometry and image features only.\n"
        "    Train it, or serve SAM2's own decoder in its place until then (make serve DECODER=projection), or export\n"
        "    with WEIGHTS=seeded for speed and parity work (random weights: no masks)."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
