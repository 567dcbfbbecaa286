"""`make perf`: NVIDIA's perf_analyzer over the ensemble, `encode` and `segment`, to docs/perf.md.

The binary is inside the `tritonclient` 2.51.0 wheel, which a folder of its own holds: later wheels are without it.
"""

import argparse
import csv
import importlib.util
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvsam.evaluation.charts import svg
from mvsam.runtime.artifacts import write_text
from mvsam_client import Client
from server.trials.figures import facts
from server.trials.perf_inputs import shipped_photographs, with_scene
from server.trials.running import served
from server.trials.variants import variant

logger = logging.getLogger(__name__)

CONCURRENCIES = (1, 2, 4, 8, 16)
TRIALS = 8  # windows at most; the analyzer measures until three of them agree
STABLE = 50  # percent by which they may differ: a window of few slow requests differs from the next
LIBRARIES = ("libb64", "libcudart")  # that the binary wants by names under which no machine has them
GIVE_UP = 900.0  # seconds for one request kind


@dataclass(frozen=True)
class Kind:
    """One kind of request.

    Attributes:
        name: of its input file.
        model: that is asked.
        streamed: whether it answers in parts.
        count: of requests in one window of measurement.
    """

    name: str
    model: str
    streamed: bool
    count: int


KINDS = (
    Kind("ensemble", "mvsam", streamed=False, count=24),
    Kind("segment", "mvsam_scene", streamed=True, count=240),
    Kind("encode", "mvsam_scene", streamed=True, count=24),  # last: its scenes push others out
)


def main() -> int:
    """Measures against a service of its own, through the entry that clients use."""
    parser = argparse.ArgumentParser(prog="python -m server.trials.perf", description=main.__doc__)
    parser.add_argument("--repository", type=Path, default=Path("build/repository/demo"))
    parser.add_argument("--client", type=Path, required=True, help="folder of an installed tritonclient 2.51.0")
    parser.add_argument("--concurrency", type=int, nargs="+", default=CONCURRENCIES)
    parser.add_argument("--output", type=Path, default=Path("out/perf"))
    parser.add_argument("--document", type=Path, default=Path("docs/perf.md"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options.output.mkdir(parents=True, exist_ok=True)
    known = facts(options.repository)
    environment = os.environ | {"LD_LIBRARY_PATH": str(_libraries(options.output / "lib"))}
    rows: dict[str, list[dict[str, str]]] = {}
    longer_line = {"waiting_encodes": max(options.concurrency)}  # or the last of them would be refused, as they should
    repository = variant(options.repository, options.output / "repository", "mvsam_scene", longer_line)
    with (
        served(repository, options.output / "triton.log") as service,
        Client(service.grpc_url, retries=0, reencode=False) as client,
    ):
        scene = client.encode(shipped_photographs())
        for kind in KINDS:
            data = options.output / f"{kind.name}.json"
            data.write_text(with_scene(kind.name, scene.id))
            table = options.output / f"{kind.name}.csv"
            for concurrency in options.concurrency:
                logger.info("%s, %d at once", kind.name, concurrency)
                _analyze(options.client, environment, service.grpc_url, kind, concurrency, data, table)
                rows.setdefault(kind.name, []).extend(csv.DictReader(table.open()))
    _write(options.document, known, rows)
    logger.info("Read %s", options.document)
    return 0


def _analyze(
    client: Path, environment: dict[str, str], url: str, kind: Kind, concurrency: int, data: Path, table: Path
) -> None:
    command = [
        client / "bin" / "perf_analyzer",
        *("-m", kind.model, "-u", url, "-i", "grpc", "--input-data", data, "-f", table),
        *("--concurrency-range", f"{concurrency}:{concurrency}:1"),
        *("--measurement-mode", "count_windows", "--measurement-request-count", kind.count),
        *("--max-trials", TRIALS, "--stability-percentage", STABLE, "--percentile", 99),
        *(["--streaming"] if kind.streamed else []),
    ]
    table.unlink(missing_ok=True)
    done = subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, text=True, timeout=GIVE_UP, check=False
    )
    table.with_suffix(f".{concurrency}.log").write_text(done.stdout + done.stderr)
    if not table.is_file():
        raise RuntimeError(f"perf_analyzer measured nothing: {done.stdout[-500:]}{done.stderr[-500:]}")


def _libraries(folder: Path) -> Path:
    """The libraries that the binary looks for, out of the wheel with the embedded Triton."""
    found = importlib.util.find_spec("pytriton")
    assert found is not None and found.origin is not None, "nvidia-pytriton is not installed"
    own = Path(found.origin).parent.parent / "nvidia_pytriton.libs"
    folder.mkdir(parents=True, exist_ok=True)
    for name in LIBRARIES:
        (library,) = own.glob(f"{name}-*")
        # libcudart-09529672.so.12.6.77 -> libcudart.so.12
        version = library.name.split(".so.")[1].split(".")[0]
        link = folder / f"{name}.so.{version}"
        link.unlink(missing_ok=True)
        link.symlink_to(library)
    return folder


def _write(document: Path, known: dict[str, Any], rows: dict[str, list[dict[str, str]]]) -> None:
    """Table and plot."""
    panels = {
        f"{name}: latency": {
            percentile: [(int(row["Concurrency"]), float(row[f"{percentile} latency"]) / 1e6) for row in table]
            for percentile in ("p50", "p99")
        }
        for name, table in rows.items()
    }
    lines = [
        "# perf_analyzer",
        "",
        "Written by `make perf`: NVIDIA's perf_analyzer 2.51.0 against the real service on loopback, through its",
        "entry. Four photographs of 480×360 and one click, or a click on them kept as a scene (`clients/perf`).",
        "Latency counts until the first part of the answer, for `segment` the masks of the view that was clicked on.",
        "",
        *(f"- {name}: {value}" for name, value in known.items()),
        "",
        f"![latency against requests at once]({document.stem}.svg)",
        "",
        "| request | at once | a second | p50, ms | p90, ms | p99, ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, table in rows.items():
        for row in table:
            times = " | ".join(f"{float(row[f'p{p} latency']) / 1000:.1f}" for p in (50, 90, 99))
            lines.append(f"| {name} | {row['Concurrency']} | {float(row['Inferences/Second']):.1f} | {times} |")
    write_text(document.with_suffix(".svg"), svg(panels, "requests at once"))
    write_text(document, "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
