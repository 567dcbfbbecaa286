"""A run that is killed, resumed or spread over processes trains the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mvsam.training.loop import averaging
from tests.unit.training.toy import task, trainer
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
STEPS = "30"  # of a run that is killed after the first
# Third parties' own deprecations, on import and in TensorBoard's writer.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[bytes], folder: Path) -> float:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()[-2000:]
    return float((folder / "loss.txt").read_text())


def test_killed_run_resumes_to_the_same_loss_bit_for_bit(tmp_path: Path) -> None:
    module = "tests.unit.training.toy"
    whole = finish(start("-m", module, str(tmp_path / "whole"), STEPS), tmp_path / "whole")
    broken = tmp_path / "broken"
    process = start("-m", module, str(broken), STEPS)
    wait_until((broken / "checkpoint.pt").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was killed before it ended"
    assert torch.load(broken / "checkpoint.pt", weights_only=True)["step"] < int(STEPS)
    assert finish(start("-m", module, str(broken), STEPS), broken) == whole


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    module = "tests.unit.training.toy"
    one = finish(start("-m", module, str(tmp_path / "one"), "6"), tmp_path / "one")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", module)
    two = finish(start(*launcher, str(tmp_path / "two"), "6"), tmp_path / "two")
    assert two == pytest.approx(one, rel=1e-5)


def test_accumulated_passes_train_as_one(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole", 3).run()
    assert trainer(tmp_path / "parts", 3, accumulate=2).run() == pytest.approx(whole, rel=1e-4)


def test_training_lowers_the_loss_and_raises_the_iou(tmp_path: Path) -> None:
    run = trainer(tmp_path, 60)
    first = run.run(until=1)
    with torch.inference_mode():
        before = run.task.validate(run.model.eval())["discs: mean IoU"]
    last = run.run()
    with torch.inference_mode():
        after = run.task.validate(run.model.eval())["discs: mean IoU"]
    assert last < 0.7 * first
    assert after > before + 0.1
    assert after > 0.9


def test_uneven_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose a multiple of 3"):
        trainer(tmp_path, 3, accumulate=3)


def test_a_loss_of_nan_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    trainer(tmp_path, 4).run(until=2)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    run = trainer(tmp_path, 4)
    with torch.no_grad():
        next(run.model.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"the loss of step 3 is nan: run again"):
        run.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("damage", ["shorter", "empty", "another"])
def test_a_damaged_checkpoint_is_refused_with_a_remedy(damage: str, tmp_path: Path) -> None:
    trainer(tmp_path, 1).run()
    checkpoint = tmp_path / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes({"shorter": whole[: len(whole) // 2], "empty": b"", "another": b"none of ours"}[damage])
    with pytest.raises(
        ValueError, match=r"checkpoint\.pt was damaged after it was written: put a copy back, or begin anew"
    ):
        trainer(tmp_path, 2)


def test_pictures_show_photograph_exact_and_found() -> None:
    toy = task()
    with torch.inference_mode():
        picture = toy.pictures(toy.model.eval())["held out"]
    assert picture.dtype == np.uint8 and picture.shape == (4 * 64, 3 * 64, 3)


def test_the_average_soon_forgets_the_first_weights() -> None:
    average, update = [torch.zeros(1)], averaging(0.999)
    for count in range(1, 100):
        update(average, [torch.ones(1)], count)
    assert float(average[0]) > 0.99
    update(average, [torch.zeros(1)], 10**6)
    assert float(average[0]) > 0.98, "later ones count little"
