"""The client is light: it installs beside anything, takes no PyTorch, and is there at once."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "mvsam", "sam2", "supervision", "viser", "scipy", "matplotlib", "pycocotools")
AT_MOST = 0.5  # seconds

MEASURE = f"""
import json, sys, time
began = time.perf_counter()
import mvsam_client
found = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps([time.perf_counter() - began, found]))
"""


def imported(python: str, runs: int) -> list[tuple[float, list[str]]]:
    """Seconds and heavy modules of as many imports."""
    command = [python, "-c", MEASURE]
    return [json.loads(subprocess.check_output(command, cwd=PROJECT.parent, text=True)) for _ in range(runs)]


def test_the_import_brings_nothing_heavy():
    ((_, heavy),) = imported(sys.executable, runs=1)
    assert heavy == []


def test_documents_and_messages_install_the_client_from_the_projects_folder():
    """It is on no index; and the extras that they name exist."""
    texts = [path for kind in ("md", "py", "ipynb") for path in PROJECT.glob(f"*.{kind}")]
    for folder in ("clients", "docs", "mvsam", "server"):
        texts += [path for kind in ("md", "py", "ipynb") for path in (PROJECT / folder).rglob(f"*.{kind}")]
    extras = tomllib.loads((PROJECT / "clients" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = set()
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install[^\n`]*mvsam-client", text), path
        for found in re.findall(r"clients\[([a-z,]+)\]", text):
            named.update(found.split(","))
    assert named and named <= set(extras)


def installed(folder: Path, extras: str = "") -> str:
    """Python of a new environment with the client and nothing else."""
    environment, sources = folder / "venv", folder / "clients"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = str(environment / "bin" / "python")
    shutil.copytree(PROJECT / "clients", sources)  # a build leaves traces beside its sources
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{sources}{extras}"], check=True)
    return python


@pytest.mark.slow
def test_an_empty_environment_takes_no_torch_and_runs_the_quick_start(tmp_path, server, photographs):
    python = installed(tmp_path)
    listed = json.loads(subprocess.check_output([python, "-m", "pip", "list", "--format=json"], text=True))
    packages = {package["name"].lower() for package in listed}
    assert {"mvsam-client", "numpy", "tritonclient", "pillow"} <= packages and not packages & set(HEAVY)
    found = imported(python, runs=5)
    assert min(seconds for seconds, _ in found) < AT_MOST, found
    quick_start, *_ = re.findall(r"```python\n(.*?)```", (PROJECT / "clients" / "README.md").read_text(), re.DOTALL)
    program = quick_start.replace("127.0.0.1:8001", server.url)
    said = subprocess.check_output([python, "-c", program], cwd=photographs[0].parent.parent, text=True)
    assert said.count("image") == len(photographs)


DETECTIONS = """
import numpy as np
import supervision
from mvsam_client import Segmentation

masks = np.zeros((2, 2, 20, 30), bool)
masks[0, 0, 2:6, 3:9] = masks[1, 0, 5:20, 0:10] = True
rles = [[{}, {}], [{}, {}]]
scores = np.array([[0.9, 0.8], [0.7, 0.0]], np.float32)
result = Segmentation(list(map(list, masks)), rles, scores, masks.sum(axis=(2, 3)), np.full((2, 2), (20, 30)),
                      object_ids=(4, 9))
found = result.detections(0)
assert isinstance(found, supervision.Detections)
assert found.xyxy.tolist() == [[3, 2, 9, 6], [0, 5, 10, 20]] and found.tracker_id.tolist() == [4, 9]
assert found.area.tolist() == [24, 150] and np.allclose(found.confidence, [0.9, 0.7])
assert len(result.detections(1)) == 0
read = supervision.Detections.from_sam(result.sam_dicts(0))
assert read.xyxy.tolist() == found.xyxy[::-1].tolist()
"""


@pytest.mark.slow
def test_the_extras_bring_what_they_name(tmp_path):
    python = installed(tmp_path, "[supervision,video,heic]")
    subprocess.run([python, "-c", DETECTIONS], check=True)
    subprocess.run([python, "-c", "import cv2, pillow_heif; cv2.VideoCapture, pillow_heif.open_heif"], check=True)
