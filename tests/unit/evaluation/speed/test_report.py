"""What is reported are the times that were taken."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from mvsam.evaluation.speed.__main__ import main
from mvsam.evaluation.speed.cases import Case, Task
from mvsam.evaluation.speed.measuring import Pace, measure
from mvsam.evaluation.speed.plot import plot
from mvsam.evaluation.speed.ratios import ratios
from mvsam.evaluation.speed.report import Report
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way
from mvsam.networks.presets import Precision
from tests.unit.evaluation.speed.made_results import WRONG, result

FACTS: dict[str, object] = {
    "commit": "f00",
    "command": "make bench",
    "cpu": "a machine",
    "gpu": None,
    "date": "2026-01-01",
    "quiet": True,
}
RESULTS = [
    result(Task.PRODUCT, 0, [0.02, 0.01, 0.03], agreement=None, flops=10**9),
    result(Task.CLICK, 20, [0.100, 0.3, 0.2], flops=4 * 10**9),
    result(Task.CLICK, 100, [1.5], flops=20 * 10**9),
    result(Task.CLICK, 20, [0.004321], "ONNX Runtime CPU", WRONG, flops=4 * 10**9),
]


def report(facts: dict[str, object] = FACTS) -> Report:
    return Report(facts, RESULTS, ratios(RESULTS), ["tensorrt, mask_decoder, fp32: no GPU"])


def test_figures_are_medians_quartiles_and_rates_of_the_samples() -> None:
    rows = report().as_json()["results"]
    assert rows[1]["seconds"] == pytest.approx(
        {"median": 0.2, "lower": 0.15, "upper": 0.25, "least": 0.1, "samples": 3}
    )
    assert rows[1]["flops per second"] == pytest.approx(20e9)
    assert rows[1]["fraction of peak"] == pytest.approx(0.2), "of 100 GFLOP/s, the fastest product"
    json.dumps(report().as_json())


def test_the_document_holds_times_agreement_and_what_is_missing() -> None:
    text = report().as_markdown("speed.svg")
    line = next(line for line in text.splitlines() if "**200**" in line)
    assert "150–250" in line and "| 3 |" in line and "20%" in line and "1.0000 / 1.0000" in line
    wrong = next(line for line in text.splitlines() if "**4.321**" in line)
    assert "0.5000 / 0.1000" in wrong, "a fast wrong answer is seen"
    assert "- tensorrt, mask_decoder, fp32: no GPU" in text
    for value in ("f00", "make bench", "a machine", "2026-01-01"):
        assert value in text
    assert "other work" not in text
    assert "other work" in report(FACTS | {"quiet": False}).as_markdown("speed.svg")


def test_the_plot_has_a_point_for_the_best_of_every_number_of_views() -> None:
    root = ElementTree.fromstring(plot(RESULTS))
    circles = root.findall(".//{*}circle")
    assert len(circles) == 3
    eager = sorted((float(c.get("cx", 0)), float(c.get("cy", 0))) for c in circles if c.get("fill") == "#0072b2")
    assert eager[0][1] > eager[1][1], "more views cost more, and stand higher"


def test_answers_are_compared_with_the_reference_and_its_operations_are_counted() -> None:
    logits = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(8, 8)
    case = Case(Task.CLICK, views=2, prompts=1)

    def subject(name: str, sign: int) -> Subject:
        def call() -> Outputs:
            _ = weights @ weights
            return [{"mask_logits": sign * logits[:, i : i + 1]} for i in range(2)]

        return Subject(case, Way(name, Precision.FP32, ""), call)

    right, wrong = measure(
        [subject("right", 1), subject("wrong", -1)],
        {case: subject("reference", 1)},
        torch.device("cpu"),
        Pace(rounds=3, limit=10),
    )
    assert right.agreement is not None and right.agreement.same_masks
    assert wrong.agreement is not None and wrong.agreement.worst_iou == 0.0
    assert right.flops == wrong.flops == 2 * 8**3
    assert right.seconds.samples == 3 and right.seconds.lower > 0


def test_an_arena_that_grew_for_all_views_does_not_count_for_one_at_a_time() -> None:
    arena: list[torch.Tensor] = []

    def subject(at_once: int) -> Subject:
        def call() -> Outputs:
            for _ in range(len(arena), 16 * at_once):
                arena.append(torch.ones(1 << 18))
            return []

        return Subject(Case(Task.CLICK, at_once), Way("", Precision.FP32, ""), call, owners=[arena], at_once=at_once)

    large, small = measure([subject(4), subject(1)], {}, torch.device("cpu"), Pace(rounds=3, limit=10))
    assert 12 << 20 < small.memory < 24 << 20
    assert 56 << 20 < large.memory < 80 << 20


def test_the_demo_preset_is_measured_from_beginning_to_end(tmp_path: Path) -> None:
    options = "--preset demo --seeded mask_decoder --parts click --views 1 2 --prompts 1 --runtimes eager onnxruntime"
    threads = torch.get_num_threads()
    try:
        assert main([*options.split(), *f"--threads 1 --rounds 3 --output {tmp_path} --graphs {tmp_path}".split()]) == 0
    finally:
        torch.set_num_threads(threads)
    found = json.loads((tmp_path / "speed.json").read_text())
    clicks = [row for row in found["results"] if row["case"]["task"] == "click"]
    assert len(clicks) == 2 + 4, "two layouts; with two views also one at a time"
    assert all(row["agreement"]["worst_iou"] == 1.0 and row["seconds"]["samples"] == 3 for row in clicks)
    one, two = (next(row["flops"] for row in clicks if row["case"]["views"] == n) for n in (1, 2))
    assert 1.8 < two / one < 2.0, "all but the prompts' own work is once for every view"
    assert "make export" in found["not timed"][0]
    assert (tmp_path / "speed.md").is_file() and (tmp_path / "speed.svg").is_file()


def test_encoding_is_measured_part_by_part(tmp_path: Path) -> None:
    seeded = "pi3 sam2_encoder mask_decoder"
    options = f"--preset demo --seeded {seeded} --parts encode --views 1 --runtimes eager --threads 1 --rounds 3"
    threads = torch.get_num_threads()
    try:
        assert main([*options.split(), *f"--output {tmp_path} --graphs {tmp_path}".split()]) == 0
    finally:
        torch.set_num_threads(threads)
    rows = json.loads((tmp_path / "speed.json").read_text())["results"]
    seconds = {row["case"]["task"]: row["seconds"]["median"] for row in rows}
    assert {Task.PI3, Task.ENCODER, Task.EMBEDDER, Task.SCENE} <= set(seconds)
