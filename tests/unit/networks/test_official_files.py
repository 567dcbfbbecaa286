"""What lies under weights/official and is not what it should be: named as what it is, and pinned never."""

import io
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mvsam.networks import weights
from mvsam.networks.checkpoints import CheckpointError, WeightSource, build_network, load_network, weights_path
from mvsam.networks.presets import PINS, PRESETS
from mvsam.networks.weights import OFFICIAL, convert_pi3, convert_sam2, pi3_file, sam2_file

PRESET = replace(PRESETS["tiny"], pi3=PRESETS["demo"].pi3)  # π³'s official size takes minutes
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 3834774552\n"
PAGE = b"\n <!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
CONVERTERS: dict[str, tuple[Callable[..., Path], str]] = {
    "pi3": (convert_pi3, pi3_file().name),
    "sam2_encoder": (convert_sam2, sam2_file(PRESET).name),
}


def pickled(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def tensors(folder: Path, state: dict[str, torch.Tensor]) -> bytes:
    save_file(state, folder / "state.safetensors")
    return (folder / "state.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """What the two files should be."""
    state = {name: torch.zeros_like(tensor) for name, tensor in build_network(PRESET, "pi3").state_dict().items()}
    listing = weights.official_sam2_listing(PRESET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "official_sam2_listing", lambda preset: listing)  # the whole model is built for it
        yield {
            "pi3": tensors(tmp_path_factory.mktemp("whole"), state),
            "sam2_encoder": pickled({"model": {name: torch.zeros(shape) for name, shape in listing.items()}}),
        }


def put(directory: Path, network: str, content: bytes) -> Path:
    path = directory / OFFICIAL / CONVERTERS[network][1]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a Git LFS pointer": (lambda whole: POINTER, r"is a Git LFS pointer, not the file itself \(`git lfs pull`"),
    "a page": (lambda whole: PAGE, "is a web page, not the file itself"),
    "a word": (lambda whole: b"Entry not found", "is text, not the file itself"),
    "nothing": (lambda whole: b"", "is empty"),
    "a cut file": (lambda whole: whole[: len(whole) * 9 // 10], "is cut short"),
    "a file cut at once": (lambda whole: whole[:100], "is cut short"),
    "noise": (lambda whole: bytes(range(256)) * 9, "is no .*file"),
}


@pytest.mark.parametrize("network", CONVERTERS)
@pytest.mark.parametrize(("spoilt", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_as_what_it_is_and_the_right_one_is_taken_afterwards(
    tmp_path: Path, whole: dict[str, bytes], network: str, spoilt: Callable[[bytes], bytes], says: str
):
    convert, name = CONVERTERS[network]
    put(tmp_path, network, spoilt(whole[network]))
    with pytest.raises(CheckpointError, match=rf"{name} {says}.*; download it again from where `make weights` says"):
        convert(PRESET, tmp_path)
    assert not (tmp_path / PINS).exists() and not weights_path(tmp_path, PRESET, network).exists()
    put(tmp_path, network, whole[network])
    convert(PRESET, tmp_path)
    pins = json.loads((tmp_path / PINS).read_text())
    assert {f"{OFFICIAL}/{name}", f"{PRESET.name}/{network}.safetensors"} <= set(pins)
    put(tmp_path, network, spoilt(whole[network]))
    with pytest.raises(CheckpointError, match=f"{name} {says}.*; put the original back"):
        convert(PRESET, tmp_path)


@pytest.mark.parametrize("network", CONVERTERS)
def test_a_file_of_another_network_is_not_pinned(tmp_path: Path, whole: dict[str, bytes], network: str):
    convert, name = CONVERTERS[network]
    other = {"stray": torch.zeros(3)}
    put(tmp_path, network, tensors(tmp_path, other) if network == "pi3" else pickled({"model": other}))
    with pytest.raises(CheckpointError, match=rf"{name} does not fit"):
        convert(PRESET, tmp_path)
    assert not (tmp_path / PINS).exists()
    put(tmp_path, network, whole[network])
    convert(PRESET, tmp_path)


@pytest.mark.parametrize("spoilt", [spoilt for spoilt, _ in WRONG.values()], ids=WRONG)
def test_nor_is_a_wrong_file_where_networks_are_read_from(tmp_path: Path, spoilt: Callable[[bytes], bytes]):
    preset = PRESETS["demo"]
    path = weights_path(tmp_path, preset, "mask_decoder")
    path.parent.mkdir(parents=True)
    right = tensors(tmp_path, build_network(preset, "mask_decoder").state_dict())
    path.write_bytes(spoilt(right))
    with pytest.raises(CheckpointError, match=r"mask_decoder\.safetensors is .*; .*make weights PRESET=demo"):
        load_network(preset, "mask_decoder", WeightSource.FILES, tmp_path)
    assert not (tmp_path / PINS).exists()
    path.write_bytes(right)
    load_network(preset, "mask_decoder", WeightSource.FILES, tmp_path)
    assert (tmp_path / PINS).exists()


def test_a_header_that_names_more_than_there_is_is_no_traceback(tmp_path: Path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}).encode()
    put(tmp_path, "pi3", struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match=r"pi3\.safetensors"):
        convert_pi3(PRESET, tmp_path)
    assert not (tmp_path / PINS).exists()


def test_a_list_of_hashes_that_cannot_be_read_is_named(tmp_path: Path, whole: dict[str, bytes]):
    (tmp_path / PINS).write_text("{")
    put(tmp_path, "pi3", whole["pi3"])
    with pytest.raises(CheckpointError, match=r"pins\.json is no list of hashes.*remove it"):
        convert_pi3(PRESET, tmp_path)
