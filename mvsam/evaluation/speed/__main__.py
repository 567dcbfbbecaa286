"""`make bench`: times of scene encoding and of a click, in every runtime, beside SAM2-Video."""

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from mvsam.cores import available_cores
from mvsam.evaluation.speed.catalogue import Catalogue
from mvsam.evaluation.speed.machine import provenance
from mvsam.evaluation.speed.measuring import Pace, measure
from mvsam.evaluation.speed.offers import FAMILIES, Workbench
from mvsam.evaluation.speed.peak import product_subjects
from mvsam.evaluation.speed.plot import plot
from mvsam.evaluation.speed.ratios import ratios
from mvsam.evaluation.speed.report import Report
from mvsam.evaluation.speed.sam2_video import Sam2Video, baseline_subjects, its_precisions
from mvsam.evaluation.speed.subjects import Subject
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import NETWORKS, PRESETS, Precision, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.pipeline.frames import scene_size
from mvsam.runtime.artifacts import ArtifactError, write_json

logger = logging.getLogger(__name__)

PARTS = ("encode", "click", "baseline", "baseline-encode")
PHOTOGRAPHS = {"16:9": (1080, 1920), "4:3": (1200, 1600), "3:2": (1200, 1800), "1:1": (1200, 1200)}


def main(arguments: list[str] | None = None) -> int:
    """Times everything that is asked for in one interleaved run, and writes figures, a table and a plot."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    command = shlex.join(
        ["python", "-m", "mvsam.evaluation.speed", *(sys.argv[1:] if arguments is None else arguments)]
    )
    torch.backends.cudnn.allow_tf32 = False  # FP32 means FP32
    device = torch.device(chosen.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    facts = provenance(command, device)
    try:
        report = _run(chosen, device, facts)
    except (CheckpointError, ArtifactError) as error:
        logger.error("%s", error)
        return 1
    _write(report, chosen.output / "speed.json", chosen.document or chosen.output / "speed.md")
    return 0


def _run(chosen: argparse.Namespace, device: torch.device, facts: dict[str, object]) -> Report:
    preset = preset_named(chosen.preset)
    patch = preset.pi3.patch
    height, width = scene_size([PHOTOGRAPHS[chosen.aspect]], preset.geometry_pixels, patch)
    encoded = chosen.encode_views or chosen.views
    bench = Workbench(
        preset,
        device,
        threads=sorted(chosen.threads),
        seeded=chosen.seeded,
        weights=chosen.weights_directory,
        graphs=chosen.graphs / preset.name,
        engines=chosen.engines / preset.name,
        views={
            "pi3": max(encoded),
            "sam2_encoder": max(encoded),
            "point_embedder": max(encoded),
            "mask_decoder": max(chosen.views),
        },
        prompts=max(chosen.prompts),
        patches=(height // patch, width // patch),
    )
    catalogue = Catalogue(bench, chosen.runtimes, chosen.precision)
    threads: Sequence[int | None] = bench.threads if device.type == "cpu" else [None]
    subjects: list[Subject] = list(
        product_subjects([*chosen.precision, *its_precisions(chosen.precision)], device, threads[-1])
    )
    if "encode" in chosen.parts:
        subjects += catalogue.encodings(encoded)
    if "click" in chosen.parts:
        subjects += catalogue.clicks(chosen.views, chosen.prompts, chosen.at_once)
    if {"baseline", "baseline-encode"} & {*chosen.parts}:
        video = Sam2Video(preset, chosen.frames, device)
        encoded_too = "baseline-encode" in chosen.parts
        theirs = its_precisions(chosen.precision)
        subjects += baseline_subjects(video, theirs, chosen.views, threads, encoded=encoded_too)
    results = measure(subjects, catalogue.references, device, Pace(chosen.rounds, chosen.seconds))
    facts |= {
        "preset": f"{preset.name}: π³ sees {height}×{width}, SAM2's encoder {preset.encoder.side}²",
        "weights": {name: found["source"] for name, found in bench.provenance.items()},
    }
    return Report(facts, results, ratios(results), catalogue.missing)


def _write(report: Report, figures: Path, document: Path) -> None:
    """Each file appears whole or not at all."""
    figures.parent.mkdir(parents=True, exist_ok=True)
    document.parent.mkdir(parents=True, exist_ok=True)
    picture = document.with_suffix(".svg")
    write_json(figures, report.as_json())
    for path, text in ((picture, plot(report.results)), (document, report.as_markdown(picture.name))):
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    logger.info("%s", document.read_text(encoding="utf-8"))
    logger.info("Read %s; figures are in %s", document, figures)


def _parser() -> argparse.ArgumentParser:
    cores = available_cores()
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS))
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, help="default: all")
    parser.add_argument("--views", nargs="+", type=int, default=[1, 8, 20, 50, 100], metavar="N")
    parser.add_argument("--encode-views", nargs="+", type=int, metavar="N", help="for scene encoding; default: --views")
    parser.add_argument("--prompts", nargs="+", type=int, default=[1, 12], metavar="P")
    parser.add_argument(
        "--at-once", nargs="+", type=int, default=[1, 20], metavar="N", help="views that a click decodes at a time"
    )
    parser.add_argument("--frames", type=int, default=20, help="of SAM2-Video's video (%(default)s)")
    parser.add_argument("--aspect", default="16:9", choices=list(PHOTOGRAPHS), help="of the photographs (%(default)s)")
    parser.add_argument("--precision", nargs="+", type=Precision, default=[Precision.FP32], choices=list(Precision))
    parser.add_argument("--runtimes", nargs="+", default=list(FAMILIES), choices=list(FAMILIES), help="default: all")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, cores}), help="to try on a CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU where there is one")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60.0, help="then a subject rests (at least 3 samples)")
    parser.add_argument("--seeded", nargs="*", default=[], choices=NETWORKS, help="networks given random weights")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--graphs", type=Path, default=Path("build/onnx"))
    parser.add_argument("--engines", type=Path, default=Path("build/engines"))
    parser.add_argument("--output", type=Path, default=Path("out/bench"))
    parser.add_argument("--document", type=Path, help="where the table goes, with the plot beside it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
