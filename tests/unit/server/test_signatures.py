"""Whether a request fits its model, told before Triton has seen it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.doorman import Refused
from server.launcher import LaunchError
from server.signatures import Signature, read_signatures
from tests.server.wire import Tensors, files, floats, good, integers, request

REPOSITORY = Path(__file__).parents[3] / "model_repository"
OF_SCENE: Tensors = {"ACTION": files(b"encode"), "IMAGES": good("mvsam")["IMAGES"]}


@pytest.fixture(scope="module")
def signatures() -> dict[str, Signature]:
    return read_signatures(REPOSITORY)


def asking(model: str, changes: Tensors, output: str = "MASKS", version: str = "") -> Any:
    message = request(model, good(model) | changes if model != "mvsam_scene" else OF_SCENE | changes, (output,))
    message.model_version = version
    return message


@pytest.mark.parametrize("model", ["mvsam", "mvsam_pointmap", "mvsam_scene"])
@pytest.mark.parametrize("version", ["", "1"])
def test_a_good_request_fits(signatures: dict[str, Signature], model: str, version: str):
    signatures[model].check(asking(model, {}, version=version))


@pytest.mark.parametrize(
    ("model", "changes", "says"),
    [
        ("mvsam", {"POINTS": None}, r"POINTS is missing; send it, FP32 of shape \[any, any, 2\]"),
        ("mvsam", {"POINTS": None, "IMAGES": None}, r"IMAGES is missing; send it, BYTES of shape \[any\]"),
        ("mvsam_pointmap", {"points": None}, r"points is missing; send it, FP32 of shape \[any, any, any, 3\]"),
        ("mvsam_scene", {"ACTION": None}, r"ACTION is missing; send it, BYTES of shape \[1\]"),
        ("mvsam", {"CLICKS": floats([1])}, "mvsam has no input 'CLICKS'; its inputs are IMAGES, POINTS, "),
        ("mvsam", {"confidence": floats([1])}, "mvsam has no input 'confidence'"),
        ("mvsam", {"POINTS": np.zeros((1, 1, 2))}, "POINTS has the type FP64; send FP32"),
        ("mvsam", {"POINTS": floats([[1, 2]])}, r"POINTS has the shape \[1, 2\]; send \[any, any, 2\]"),
        ("mvsam", {"POINTS": floats([[[1, 2, 3]]])}, r"POINTS has the shape \[1, 1, 3\]; send \[any, any, 2\]"),
        ("mvsam", {"BOXES": floats([[1, 2, 3]])}, r"BOXES has the shape \[1, 3\]; send \[any, 4\]"),
        ("mvsam_scene", {"VIEWS": integers([[0]])}, r"VIEWS has the shape \[1, 1\]; send \[any\]"),
        ("mvsam_scene", {"ACTION": files(b"a", b"b")}, r"ACTION has the shape \[2\]; send \[1\]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    signatures: dict[str, Signature], model: str, changes: Tensors, says: str
):
    with pytest.raises(Refused, match=says) as refused:
        signatures[model].check(asking(model, changes))
    assert refused.value.status.name == "INVALID_ARGUMENT"


def test_an_unknown_output_is_told_which_there_are(signatures: dict[str, Signature]):
    with pytest.raises(Refused, match="mvsam has no output 'MASQUES'; its outputs are MASKS, SCORES, ") as refused:
        signatures["mvsam"].check(asking("mvsam", {}, "MASQUES"))
    assert refused.value.status.name == "INVALID_ARGUMENT"


@pytest.mark.parametrize("version", ["9", "x", "../1", "-1"])
def test_another_version_is_not_found(signatures: dict[str, Signature], version: str):
    with pytest.raises(Refused, match=r"mvsam has no version '.+'; name none, or 1") as refused:
        signatures["mvsam"].check(asking("mvsam", {}, version=version))
    assert refused.value.status.name == "NOT_FOUND"


def test_models_that_a_repository_does_not_have_are_none(tmp_path: Path):
    assert read_signatures(tmp_path) == {}
    (tmp_path / "mvsam" / "1").mkdir(parents=True)
    (tmp_path / "mvsam" / "config.pbtxt").write_text("input [ { name: ")
    with pytest.raises(LaunchError, match=r"mvsam/config.pbtxt cannot be read .*make repository writes it anew"):
        read_signatures(tmp_path)
