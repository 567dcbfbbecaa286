"""Training on photographs by the command line: SA-1B's format and a user's own masks."""

import itertools
import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.synthetic.__main__ import main as synthetic
from mvsam.training import budget
from mvsam.training.__main__ import main
from mvsam.training.frozen import FrozenNetworks
from mvsam.training.install import install
from mvsam.training.sa1b import Sa1b
from tests.unit.training import toy
from tests.unit.training.sa1b_files import damaged_files, discs, sa1b_files, write_folder, write_tar
from tests.unit.training.stream_toy import PRESET, train, write_weights
from tests.unit.training.test_loop import ENVIRONMENT, start
from tests.waiting import wait_until

STEPS = 20  # of a run that is killed after the first
SAMPLE = "MVSAM_SA1B_SAMPLE"  # names a folder of real photographs in SA-1B's format
# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"), "pi3", "sam2_encoder", "mask_decoder")


def arguments(weights: Path, output: Path, steps: int) -> list[str]:
    return ["--weights-directory", str(weights), "--output", str(output), "--steps", str(steps)]


def losses(path: Path) -> list[float]:
    return [float(line) for line in path.read_text().split()]


def logged(run: Path, kind: str) -> dict[str, list[float]]:
    """TensorBoard's curves under `kind`."""
    events = EventAccumulator(str(run / "log"))
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith(f"{kind}/")]
    return {tag.partition("/")[2]: [event.value for event in events.Scalars(tag)] for tag in tags}


def test_training_on_sa1b_lowers_the_loss(tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sa1b").mkdir()
    caplog.set_level(logging.INFO)
    for shard in range(3):
        write_tar(tmp_path / "sa1b" / f"sa_00000{shard}.tar", sa1b_files(range(10 * shard, 10 * shard + 8)))
    data = ["--sa1b", str(tmp_path / "sa1b"), "--held-out", str(tmp_path / "sa1b" / "sa_000002.tar")]
    status, values = train(*data, *arguments(weights, tmp_path / "run", 24))
    assert status == 0
    assert np.mean(values[-6:]) < 0.9 * np.mean(values[:3])
    assert len(logged(tmp_path / "run", "validation")["photographs: mean IoU"]) == 1
    assert "device-hours (an estimate from this run on this machine)" in caplog.text
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert all(key.startswith("decoder.") for key in state["model"]), "frozen networks are not kept"


def test_damaged_members_are_counted_in_the_log(
    tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", damaged_files())
    caplog.set_level(logging.INFO)
    status, values = train("--sa1b", tar, *arguments(weights, tmp_path / "run", 4))  # four usable: an epoch a step
    assert status == 0 and np.isfinite(values).all()
    expected = Sa1b.open(tar)
    for epoch in range(3):
        assert len(list(expected.examples(epoch))) == 4
    list(itertools.islice(expected.examples(3), 4))
    assert str(expected.skipped) in caplog.text
    assert "× damaged or truncated jpg (first sa_000000/sa_3)" in caplog.text
    counts = {cause: int(curve[-1]) for cause, curve in logged(tmp_path / "run", "skipped").items()}
    assert counts == expected.skipped.counts


def test_killed_run_resumes_in_the_middle_of_the_stream(tmp_path: Path, weights: Path) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", sa1b_files(range(20, 38)) | damaged_files())  # 22 usable: 5.5 steps

    def begin(name: str):
        options = arguments(weights, tmp_path / name, STEPS)
        module = ("-m", "tests.unit.training.stream_toy", str(tmp_path / f"{name}.txt"))
        return start(*module, "--sa1b", str(tar), *options)

    whole, broken = begin("whole"), begin("broken")
    checkpoint = tmp_path / "broken" / "checkpoint.pt"
    wait_until(checkpoint.exists)
    broken.send_signal(signal.SIGKILL)
    broken.communicate()
    assert broken.returncode == -signal.SIGKILL, "it was killed before it ended"
    state = torch.load(checkpoint, weights_only=True)
    assert 0 < state["step"] < STEPS
    assert state["stream"][0]["place"] > 0
    _, errors = (resumed := begin("broken")).communicate(timeout=300)
    assert resumed.returncode == 0, errors.decode()[-2000:]
    _, errors = whole.communicate(timeout=300)
    assert whole.returncode == 0, errors.decode()[-2000:]
    assert losses(tmp_path / "broken.txt") == losses(tmp_path / "whole.txt")[state["step"] :]
    ends = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["stream"] for name in ("whole", "broken")]
    assert ends[0] == ends[1]


def test_two_processes_train_as_one(tmp_path: Path, weights: Path) -> None:
    tar = write_tar(tmp_path / "sa_000000.tar", sa1b_files(range(24)))
    module = ("-m", "tests.unit.training.stream_toy", str(tmp_path / "two.txt"))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    two = start(*launcher, *module, "--sa1b", str(tar), *arguments(weights, tmp_path / "two", 8))
    status, values = train("--sa1b", tar, *arguments(weights, tmp_path / "one", 8))
    assert status == 0
    _, errors = two.communicate(timeout=300)
    assert two.returncode == 0, errors.decode()[-2000:]
    assert losses(tmp_path / "two.txt") == pytest.approx(values, rel=1e-4)
    stood = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)["stream"]
    assert [(state["epoch"], state["place"]) for state in stood] == [(1, 7), (1, 8)]


def test_a_cache_spares_the_frozen_networks(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "photographs", sa1b_files(range(6)))
    options = ["--sa1b", str(folder), "--cache", str(tmp_path / "cache")]
    status, values = train(*options, *arguments(weights, tmp_path / "first", 3))
    assert status == 0
    monkeypatch.setattr(FrozenNetworks, "_computed", None)
    assert train(*options, *arguments(weights, tmp_path / "second", 3)) == (0, values)
    status, _ = train(*options, "--cache-gigabytes", "1e-6", *arguments(weights, tmp_path / "third", 3))
    assert status == 1 and "cache at most 0 photographs or raise the budget" in caplog.text


def user_scene(folder: Path, name: str) -> Path:
    for view in range(3):
        photograph, masks = discs(view, (48, 64 + 16 * view), 2)
        for path, picture in [("images", photograph), *((f"masks/{k}", mask) for k, mask in enumerate(masks))]:
            file = folder / name / path / f"{view}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(file)
    return folder / name


def test_own_masks_refine_the_presets_weights(tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    user_scene(tmp_path / "scenes", "kitchen")
    held_out = user_scene(tmp_path / "scenes", "attic")
    data = ["--user-masks", str(tmp_path / "scenes"), "--held-out", str(held_out)]
    options = arguments(weights, tmp_path / "run", 20)
    status, values = train(*data, "--init-from-weights", *options)
    assert status == 0 and "mean IoU" in caplog.text
    assert np.mean(values[-5:]) < 0.9 * np.mean(values[:3])
    _, others = train(*data, *arguments(weights, tmp_path / "other", 1))
    assert others[0] != values[0], "new weights are others"


def test_own_masks_with_their_own_geometry_need_no_pi3(tmp_path: Path) -> None:
    scene = user_scene(tmp_path / "scenes", "kitchen")
    y, x = np.mgrid[:24, :32].astype(np.float32)
    np.savez(scene / "geometry.npz", points=np.stack([x, y, x + y], axis=-1)[None].repeat(3, 0))
    weights = write_weights(tmp_path / "weights", "sam2_encoder")
    status, values = train("--user-masks", scene, *arguments(weights, tmp_path / "run", 2))
    assert status == 0 and np.isfinite(values).all()


def test_scenes_pass_through_a_frozen_encoder(tmp_path: Path, weights: Path) -> None:
    size = ["--count", "2", "--views", "2", "--height", "64", "--width", "64"]
    assert synthetic(["render", "--out", str(tmp_path / "scenes"), *size]) == 0
    scenes = ["--scenes", str(tmp_path / "scenes")]
    status, values = train(*scenes, "--held-out", tmp_path / "scenes", *arguments(weights, tmp_path / "run", 2))
    assert status == 0 and np.isfinite(values).all()
    assert "scenes: mean IoU" in logged(tmp_path / "run", "validation")
    assert train(*scenes, "--cache", tmp_path / "cache", *arguments(weights, tmp_path / "other", 2)) == (1, [])


def test_the_steps_of_a_budget_begin_where_the_stream_does(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "TIMED_STEPS", 2)
    folder = write_folder(tmp_path / "photographs", sa1b_files(range(20)))
    options = ["--sa1b", str(folder), "--weights-directory", str(weights)]
    _, timed = train(*options, "--output", tmp_path / "timed", "--budget", "1s")
    steps = int((tmp_path / "timed" / "steps.txt").read_text())
    assert len(timed) == 2 + steps
    _, values = train(*options, "--output", tmp_path / "run", "--steps", str(steps))
    assert timed[2:] == values
    assert train(*options, "--output", tmp_path / "timed", "--budget", "9h") == (0, []), "the plan stays"


def test_only_what_was_trained_is_installed(tmp_path: Path, weights: Path) -> None:
    folder = write_folder(tmp_path / "photographs", sa1b_files(range(4)))
    train("--sa1b", folder, *arguments(weights, tmp_path / "run", 2))
    written = install(tmp_path / "run", PRESET, tmp_path / "installed")
    assert [path.name for path in written] == ["mask_decoder.safetensors"]
    load_network(PRESET, "mask_decoder", WeightSource.FILES, tmp_path / "installed")
    with pytest.raises(FileNotFoundError, match=r"checkpoint.pt does not exist: give the folder of a run"):
        install(tmp_path / "nowhere", PRESET, tmp_path / "installed")


def test_a_run_of_another_model_is_refused(tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    toy.trainer(tmp_path / "run", 1).run()
    folder = write_folder(tmp_path / "photographs", sa1b_files(range(4)))
    assert train("--sa1b", folder, *arguments(weights, tmp_path / "run", 2)) == (1, [])
    assert "does not fit the network (unknown keys: encoder." in caplog.text


def test_missing_weights_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_folder(tmp_path / "photographs", sa1b_files(range(2)))
    assert train("--sa1b", folder, *arguments(tmp_path / "none", tmp_path / "run", 2)) == (1, [])
    assert "pi3.safetensors does not exist" in caplog.text


def test_one_kind_of_photographs_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["decoder", "--output", "out", "--sa1b", "a", "--user-masks", "b"])
    assert "--user-masks: not allowed with argument --sa1b" in capsys.readouterr().err


@pytest.mark.skipif(SAMPLE not in ENVIRONMENT, reason=f"{SAMPLE} names no folder of real photographs")
def test_training_on_a_sample_of_sa1b_lowers_the_loss(tmp_path: Path, weights: Path) -> None:
    status, values = train("--sa1b", os.environ[SAMPLE], *arguments(weights, tmp_path / "run", 24))
    assert status == 0
    assert np.mean(values[-6:]) < 0.9 * np.mean(values[:3])
