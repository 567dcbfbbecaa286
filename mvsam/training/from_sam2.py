"""The mask decoder started from SAM2.1's own, where names and shapes match."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pins import pinned
from mvsam.networks.weights import read_sam2
from mvsam.runtime.artifacts import sha256

logger = logging.getLogger(__name__)

RENAMED = {  # our prefix -> SAM2.1's
    "transformer.": "sam_mask_decoder.transformer.",
    "upscale_1.": "sam_mask_decoder.output_upscaling.0.",
    "upscale_norm.": "sam_mask_decoder.output_upscaling.1.",
    "upscale_2.": "sam_mask_decoder.output_upscaling.3.",
    "hypernetwork.": "sam_mask_decoder.output_hypernetworks_mlps.0.",
    "mask_prompt_encoder.": "sam_prompt_encoder.",
}
MASK_TOKENS = "sam_mask_decoder.mask_tokens.weight"  # the first, like the first hypernetwork, is for a single mask
DECODER = ("sam_mask_decoder.", "sam_prompt_encoder.")
IN_ENCODER = ("sam_mask_decoder.conv_s0.", "sam_mask_decoder.conv_s1.")  # computed by the image encoder here


class Match(NamedTuple):
    """What came of a checkpoint.

    Attributes:
        taken: our tensors that are SAM2.1's now.
        new: our other tensors, left as they were.
        unused: tensors of SAM2.1's mask decoder and prompt encoder that have no place in ours.
    """

    taken: list[str]
    new: list[str]
    unused: list[str]


def start_from_sam2(decoder: MaskDecoder, checkpoint: Path, weights_directory: Path) -> Match:
    """Copies what fits out of an official SAM2.1 checkpoint, and logs what does and what does not.

    Args:
        decoder: of any preset; changed in place.
        checkpoint: e.g. sam2.1_hiera_large.pt. Its hash is logged, and pinned where it lies among the weights.
        weights_directory: of all weights.

    Raises:
        CheckpointError: the file is missing, has changed since it was pinned, or is no SAM2.1 checkpoint.
    """
    if not checkpoint.is_file():
        raise CheckpointError(f"{checkpoint} does not exist: `make weights` says where SAM2.1's files come from")
    path, directory = checkpoint.resolve(), weights_directory.resolve()
    with pinned(directory, path) if path.is_relative_to(directory) else nullcontext(sha256(path)) as digest:
        match = copy_matching(decoder, read_sam2(checkpoint))
        if not match.taken:
            raise CheckpointError(
                f"{checkpoint} holds nothing of SAM2.1's mask decoder: is it SAM2.1's own checkpoint?"
            )
    logger.info("the decoder starts from %s, SHA-256 %s", checkpoint, digest)
    for name, tensors in match._asdict().items():
        logger.info("%s, %d tensors: %s", name, len(tensors), ", ".join(tensors))
    return match


def copy_matching(decoder: MaskDecoder, state: dict[str, Tensor]) -> Match:
    """Copies the tensors of a SAM2.1 state dict that have the name and shape of one of ours."""
    ours = decoder.state_dict()
    sources = {key: _official_name(key) for key in ours}
    found = {key: state[name] for key, name in sources.items() if name in state}
    if "mask_token" in found:
        found["mask_token"] = found["mask_token"][:1, None]
    fitting = {key: tensor for key, tensor in found.items() if tensor.shape == ours[key].shape}
    decoder.load_state_dict(fitting, strict=False)
    used = {sources[key] for key in fitting}
    unused = [k for k in state if k.startswith(DECODER) and not k.startswith(IN_ENCODER) and k not in used]
    return Match(sorted(fitting), sorted(ours.keys() - fitting.keys()), sorted(unused))


def _official_name(key: str) -> str:
    """SAM2.1's name of one of our decoder's tensors; the name itself where SAM2.1 has none like it."""
    if key == "mask_token":
        return MASK_TOKENS
    prefix = next((prefix for prefix in RENAMED if key.startswith(prefix)), "")
    return RENAMED.get(prefix, "") + key.removeprefix(prefix)
