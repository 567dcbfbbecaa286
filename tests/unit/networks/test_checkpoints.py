"""What happens to weights files that are missing, changed, or not what they should be."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mvsam.networks.checkpoints import (
    CheckpointError,
    WeightSource,
    build_network,
    load_network,
    load_strictly,
    read_pickle,
    weights_path,
)
from mvsam.networks.pins import pinned
from mvsam.networks.presets import PINS, PRESETS, Preset
from mvsam.networks.seeded import seed_weights
from mvsam.networks.weights import OFFICIAL, convert_pi3, convert_sam2, official_sam2_listing, sam2_file

DEMO = PRESETS["demo"]
TINY = PRESETS["tiny"]


def save_seeded(preset: Preset, network: str, directory: Path) -> Path:
    module = build_network(preset, network)
    seed_weights(module)
    path = weights_path(directory, preset, network)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(module.state_dict(), path, metadata={"source": "trained here"})
    return path


def test_weights_from_files_are_those_that_were_saved(tmp_path: Path) -> None:
    save_seeded(DEMO, "mask_decoder", tmp_path)
    loaded, provenance = load_network(DEMO, "mask_decoder", WeightSource.FILES, tmp_path)
    seeded, loud = load_network(DEMO, "mask_decoder", WeightSource.SEEDED, tmp_path)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, seeded.state_dict()[name]), name
    assert provenance["source"] == "trained here" and provenance["trained"]
    assert loud == {"source": "seeded random", "trained": False}


def test_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"mask_decoder\.safetensors does not exist.*train it.*WEIGHTS=seeded"):
        load_network(DEMO, "mask_decoder", WeightSource.FILES, tmp_path)


def test_a_pickle_under_the_name_of_safetensors_is_refused_unread(tmp_path: Path) -> None:
    path = weights_path(tmp_path, DEMO, "mask_decoder")
    path.parent.mkdir(parents=True)
    torch.save(build_network(DEMO, "mask_decoder").state_dict(), path)
    with pytest.raises(CheckpointError, match=r"is no safetensors file .*put official files where `make weights"):
        load_network(DEMO, "mask_decoder", WeightSource.FILES, tmp_path)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = save_seeded(DEMO, "mask_decoder", tmp_path)
    load_network(DEMO, "mask_decoder", WeightSource.FILES, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="pinned at its first use"):
        load_network(DEMO, "mask_decoder", WeightSource.FILES, tmp_path)


def test_misfits_are_named(tmp_path: Path) -> None:
    module = build_network(DEMO, "mask_decoder")
    state = module.state_dict()
    state["mask_token"] = state["mask_token"][..., :7]
    state["stray"] = state.pop("hypernetwork.layers.0.bias")
    with pytest.raises(CheckpointError) as caught:
        load_strictly(module, state, tmp_path / "decoder.safetensors")
    message = str(caught.value)
    assert "decoder.safetensors" in message
    assert "missing keys: hypernetwork.layers.0.bias" in message
    assert "unknown keys: stray" in message
    assert "mask_token is [1, 1, 7], expected [1, 1, 256]" in message


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    path.write_bytes(pickle.dumps({"model": Path("x")}))
    with pytest.raises(CheckpointError, match="not the official checkpoint"):
        read_pickle(path, "")


def test_official_sam2_file_is_checked_whole_and_converted(tmp_path: Path) -> None:
    source = tmp_path / OFFICIAL / sam2_file(TINY).name
    with pytest.raises(CheckpointError, match=r"sam2\.1_hiera_tiny\.pt does not exist: put https://"):
        convert_sam2(TINY, tmp_path)
    source.parent.mkdir()
    state = {key: torch.zeros(shape) for key, shape in official_sam2_listing(TINY).items()}
    state["no_mem_embed"] += 3
    torch.save({"model": {k: v for k, v in state.items() if k != "no_obj_ptr"}}, source)
    with pytest.raises(CheckpointError, match="missing keys: no_obj_ptr"):
        convert_sam2(TINY, tmp_path)
    torch.save({"model": state}, source)
    converted = convert_sam2(TINY, tmp_path)
    assert converted == weights_path(tmp_path, TINY, "sam2_encoder")
    encoder, _ = load_network(TINY, "sam2_encoder", WeightSource.FILES, tmp_path)
    assert torch.equal(encoder.state_dict()["no_mem_embed"], torch.full((1, 1, 256), 3.0))


def test_official_pi3_file_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"official/pi3\.safetensors does not exist.*yyfz233/Pi3.*no commercial"):
        convert_pi3(TINY, tmp_path)


def test_pin_is_kept_across_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_file({name: torch.zeros(1)}, tmp_path / name)
        with pinned(tmp_path, tmp_path / name) as first, pinned(tmp_path, tmp_path / name) as second:
            assert first == second
    torch.save({}, tmp_path / "a")
    with pytest.raises(CheckpointError, match="remove its line"), pinned(tmp_path, tmp_path / "a"):
        pass


def test_what_does_not_succeed_pins_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(ZeroDivisionError), pinned(tmp_path, tmp_path / "a"):
        _ = 1 / 0
    assert not (tmp_path / PINS).exists()
