"""What the document says is what was measured, beside what the paper says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mvsam.evaluation.speed.cases import Task
from mvsam.evaluation.statistics import __main__ as command
from mvsam.evaluation.statistics.counts import Counts, Method, Operations
from mvsam.evaluation.statistics.document import Statistics
from tests.unit.evaluation.speed.made_results import result

FACTS: dict[str, object] = {
    "command": "python -m statistics",
    "cpu": "a machine",
    "gpu": None,
    "quiet": True,
    "versions": {"torch": "2"},
}
ONNX = "ONNX Runtime CPU"
RESULTS = [
    result(Task.SCENE, 20, [6.0, 8.0, 7.0]),
    result(Task.CLICK, 20, [0.9], setting="all views at once"),
    result(Task.CLICK, 20, [0.5], setting="1 view at a time"),
    result(Task.SCENE, 20, [3.5], ONNX),
    result(Task.CLICK, 20, [0.25], ONNX),
    result(Task.ENCODER, 20, [3.5]),
    result(Task.PROPAGATION, 20, [5.0]),
]
COUNTS = Counts(
    "large",
    20,
    (378, 672),
    {"pi3": 958_000_123},
    {Method.SAM2_VIDEO: 12_345_678, Method.MVSAM: 4_051_000},
    {
        Method.SAM2_VIDEO: {Task.ENCODER: Operations(30 * 10**12, 4 * 10**12)},
        Method.MVSAM: {
            Task.PI3: Operations(100 * 10**12, 60 * 10**12),
            Task.CLICK: Operations(8 * 10**12, 2 * 10**12),
        },
    },
)


def document(facts: dict[str, object] = FACTS) -> list[str]:
    timed = replace(COUNTS, preset="demo", frames=7)
    return Statistics(facts, RESULTS, [COUNTS, timed], ["onnxruntime: none"]).as_markdown().splitlines()


def test_times_are_medians_of_the_fastest_setting_beside_the_papers() -> None:
    lines = document()
    assert "| SAM2-Video, PyTorch eager | **3.5 s** | **5 s** | 3.2 s | 4.8 s |" in lines
    assert "| MV-SAM, PyTorch eager | **7 s** | **500 ms** | 5.1 s | 1.1 s |" in lines
    assert f"| MV-SAM, {ONNX} | **3.5 s** | **250 ms** | 5.1 s | 1.1 s |" in lines
    assert "## Times of preset demo, 7 frames (Table 7)" in lines, "of what was timed"
    assert "| SAGA (the paper's) | – | – | 31 min | 528 ms |" in lines
    assert any("| all views at once | 900 ms |" in line for line in lines), "every setting is there"


def test_ratios_compare_with_sam2_video_of_the_same_run() -> None:
    lines = document()
    assert "| pre-processing: MV-SAM (PyTorch eager) longer than SAM2-Video | **2** | 1.6 |" in lines
    assert f"| inference: MV-SAM ({ONNX}) faster than SAM2-Video | **20** | 4.4 |" in lines


def test_operations_are_given_under_each_convention() -> None:
    lines = document()
    assert "| SAM2-Video | **12.3 M** | 30 | 15 | 13 | 12.3 M | 16.8 |" in lines
    assert "| MV-SAM | **4.1 M** | 108 | 54 | 23 | 4.1 M | 44.6 |" in lines
    assert "| MV-SAM | **4.1 M** | 108 | 54 | 23 |" in lines, "what the paper has no figures for stands alone"
    assert "| MV-SAM | π³ | 100 | 50 | 20 |" in lines
    assert "| pi3 | 958,000,123 |" in lines


def test_facts_and_gaps_are_told() -> None:
    lines = document()
    assert "- command: python -m statistics" in lines and "- versions: torch 2" in lines
    assert not any(line.startswith("- gpu") or "other work" in line for line in lines)
    assert "- onnxruntime: none" in lines
    assert any("other work" in line for line in document(FACTS | {"quiet": False}))


def test_the_command_writes_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "counts", lambda preset, frames: replace(COUNTS, preset=preset.name, frames=frames))
    path, threads = tmp_path / "new" / "statistics.md", torch.get_num_threads()
    seeded = "--seeded pi3 sam2_encoder mask_decoder"
    options = f"--preset demo --frames 2 --rounds 1 --threads 1 {seeded} --graphs {tmp_path} --document {path}"
    try:
        assert command.main(options.split()) == 0
    finally:
        torch.set_num_threads(threads)
    text = path.read_text()
    assert f"--document {path}" in text, "the command is told"
    assert "### Preset large, 20 frames" in text, "the paper's set-up"
    assert "### Preset demo, 2 frames" in text, "what was timed"
    assert "SAM2-Video, PyTorch eager" in text and "MV-SAM, PyTorch eager" in text
    assert "make export" in text, "why ONNX Runtime was not timed"


def test_missing_weights_are_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "statistics.md"
    assert command.main(["--weights-directory", str(tmp_path), "--document", str(path)]) == 1
    assert not path.exists()
