"""`make parameters`: how many there are, and how that compares with the paper's count."""

import argparse

from torch import nn

from mvsam.networks.checkpoints import build_network
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.presets import NETWORKS, PRESETS, preset_named


def count(module: nn.Module) -> int:
    """Numbers in a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def report(preset_name: str) -> str:
    """A table of the preset's parameters, with the paper's 4.1 M explained."""
    preset = preset_named(preset_name)
    networks = {name: build_network(preset, name) for name in NETWORKS}
    encoder, decoder = networks["sam2_encoder"], networks["mask_decoder"]
    assert isinstance(encoder, Sam2ImageEncoder) and isinstance(decoder, MaskDecoder)
    neck = encoder.image_encoder.neck
    lines = [f"{name:<28}{count(network):>13,}" for name, network in networks.items()]
    lines += [f"  {name:<26}{count(child):>13,}" for name, child in decoder.named_children()]
    lines.append(f"  {'mask_token':<26}{decoder.mask_token.numel():>13,}")
    lines.append(f"{'mask_decoder + neck':<28}{count(decoder) + count(neck):>13,}")
    lines.append(
        "The paper's 4.1 M (Table 8) is the decoder with SAM2's neck counted: its 12.3 M for SAM2-Video is that whole\n"
        "model less its trunk. SAM2's decoder loses three mask tokens with their hyper-networks, the quality head and\n"
        "the object head; the lift of eq. 1 from 128 to 256 numbers and eqs. 2-3 are added."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make parameters")
    parser.add_argument("--preset", default="large", choices=list(PRESETS))
    print(report(parser.parse_args().preset))
