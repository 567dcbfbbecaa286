"""`make train-rival`: the demo decoder's rival, the same network with places in the picture instead of in space.

It starts from the demo's own decoder, as far as that goes, and is then trained on scenes of eight views, where it is
told where every click is in every picture by the exact cameras. So it has had all of the demo decoder's training before
its own, and is the strongest decoder of 2-D positions that these weights make.
"""

import argparse
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mvsam.evaluation.ablations.scenes import FIRST_TRAINING_SEED, SIDE, VIEWS, prepared_scenes
from mvsam.evaluation.ablations.task import AblatedDecoder, VariantTask
from mvsam.evaluation.ablations.training import RATE, started, train
from mvsam.evaluation.ablations.variants import PRESET, Scale, Variant
from mvsam.networks.checkpoints import CheckpointError, WeightSource, load_network, load_strictly, read_safetensors
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.mask_decoder import MaskDecoder
from mvsam.networks.pins import pin, pinned
from mvsam.networks.presets import Positions
from mvsam.synthetic.cache import Recipe
from mvsam.synthetic.scene import Split
from mvsam.training.config import Precision

logger = logging.getLogger(__name__)

CONFIG = replace(PRESET.decoder, positions=Positions.IMAGE)
VARIANT = Variant("2-D PE, single", decoder=CONFIG)
SCENES, STEPS = 300, 2500
NAME = "mask_decoder_2d"


def rival_path(directory: Path) -> Path:
    """Where its weights are."""
    return directory / PRESET.name / f"{NAME}.safetensors"


def load_rival(directory: Path) -> tuple[MaskDecoder, str]:
    """The trained decoder, and its file's SHA-256.

    Raises:
        CheckpointError: the file is missing, is not the one that it was, or does not fit.
    """
    path = rival_path(directory)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: `make train-rival` makes it")
    decoder = MaskDecoder(CONFIG)
    with pinned(directory, path) as digest:
        state, _ = read_safetensors(path, "`make train-rival` makes it")
        load_strictly(decoder, state, path)
    return decoder.float().eval(), digest


def main(arguments: list[str] | None = None) -> int:
    """Trains it and keeps its weights; run again to go on after an interruption."""
    parser = argparse.ArgumentParser(prog="make train-rival", description=main.__doc__)
    parser.add_argument("--output", type=Path, default=Path("out/rival"), help="scenes, features and checkpoints")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--steps", type=int, default=STEPS)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)  # a decoder this small gains nothing from a second one
    try:
        encoder, known = load_network(PRESET, "sam2_encoder", WeightSource.FILES, chosen.weights_directory)
        decoder, _ = load_network(PRESET, "mask_decoder", WeightSource.FILES, chosen.weights_directory)
    except CheckpointError as error:
        logger.error("%s", error)
        return 1
    assert isinstance(encoder, Sam2ImageEncoder)
    recipe = Recipe(Split.TRAIN.value, FIRST_TRAINING_SEED, chosen.scenes, VIEWS, SIDE, SIDE)
    scenes = prepared_scenes(chosen.output, recipe, encoder, known["sha256"])
    model = started(VARIANT, 0, {f"decoder.{name}": kept for name, kept in decoder.state_dict().items()})
    task = VariantTask(model, VARIANT, scenes, Scale(), seed=0)
    checkpoints = chosen.output / "run"
    trained, seconds = train(
        task, chosen.steps, RATE, checkpoints, Precision.FP32
    )  # CPUs without BF16 take six times as long
    _keep(trained, chosen.weights_directory, chosen.steps)
    shutil.rmtree(checkpoints)
    logger.info("%s: %d steps of %.2f s", rival_path(chosen.weights_directory), chosen.steps, seconds)
    return 0


def _keep(trained: AblatedDecoder, directory: Path, steps: int) -> None:
    """In FP16: half the bytes for a rounding of 0.05 % of each weight. The frozen basis is multiplied, so it stays."""
    path, frozen = rival_path(directory), {name for name, _ in trained.decoder.named_buffers()}
    weights = {
        name: (tensor if name in frozen else tensor.half()).cpu().contiguous()
        for name, tensor in trained.decoder.state_dict().items()
    }
    temporary = path.with_suffix(".tmp")
    save_file(weights, temporary, metadata={"source": "trained by this project", "steps": str(steps)})
    temporary.replace(path)
    pin(directory, path)


if __name__ == "__main__":
    sys.exit(main())
