"""`make evaluate`: methods on a data set, results scene by scene, tables and a page with pictures."""

import argparse
import datetime
import logging
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from mvsam.cores import available_cores
from mvsam.evaluation.benchmarks import datasets
from mvsam.evaluation.benchmarks.catalogue import METHODS, Offer, Sources
from mvsam.evaluation.benchmarks.gathering import gathered, run_folder, tables_of, write_tables
from mvsam.evaluation.benchmarks.geometries import PI3, TITLES, geometry_for
from mvsam.evaluation.benchmarks.harness import Order, Part, run
from mvsam.evaluation.benchmarks.page import write_page
from mvsam.evaluation.benchmarks.results import Results, RunError
from mvsam.evaluation.benchmarks.scenes import DatasetError
from mvsam.evaluation.benchmarks.scoring import Averaging
from mvsam.evaluation.geometry.pointmaps import GeometryError
from mvsam.networks.checkpoints import CheckpointError
from mvsam.networks.presets import PRESETS, preset_named
from mvsam.networks.threads import use_available_cores
from mvsam.runtime.artifacts import ArtifactError

logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Evaluates what is not done yet, then writes tables of all that is under --output; run again to go on.

    Several processes (accelerate launch, torchrun) share the scenes.
    """
    parser = argparse.ArgumentParser(prog="python -m mvsam.evaluation.benchmarks", description=main.__doc__)
    datasets.add_options(parser)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["pytorch"], metavar="METHOD")
    parser.add_argument("--geometry", nargs="+", choices=list(TITLES), default=[PI3])
    parser.add_argument("--orders", nargs="+", type=Order, choices=list(Order), default=[Order.VIDEO])
    parser.add_argument("--scenes", type=int, help="only so many, the first ones")
    parser.add_argument(
        "--corrective-clicks",
        type=int,
        default=0,
        metavar="K",
        help="besides, click on each object K times where the mask is most wrong; IoU after each click",
    )
    parser.add_argument("--averaging", type=Averaging, choices=list(Averaging), default=Averaging.MACRO)
    parser.add_argument("--preset", choices=list(PRESETS), default="demo")
    parser.add_argument("--weights-directory", type=Path, default=Path("weights"))
    parser.add_argument("--graphs", type=Path, help="exported graphs (build/onnx/<preset>/fp32)")
    parser.add_argument("--server", help="HOST:PORT of a running server, for the method triton")
    parser.add_argument("--server-weights", default="unknown", help="what it computes with; kept with the results")
    parser.add_argument("--vggt", type=Path, help="folder of an exported graph, or a state dict for VGGT's package")
    parser.add_argument("--cache", type=Path, help="keep features and pointmaps there")
    parser.add_argument("--output", type=Path, default=Path("out/benchmarks"))
    parser.add_argument("--page", type=Path, help="HTML page to write, such as docs/evaluation_synthetic.html")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    use_available_cores()
    try:
        evaluate(chosen, shlex.join(["python", "-m", "mvsam.evaluation.benchmarks", *(arguments or sys.argv[1:])]))
    except (DatasetError, RunError, GeometryError, CheckpointError, ArtifactError) as error:
        logger.error("%s", error)
        return 1
    return 0


def evaluate(chosen: argparse.Namespace, command: str) -> None:
    """Runs what is asked for, every process its part; the first of them writes tables.

    Raises:
        DatasetError, RunError, GeometryError, CheckpointError, ArtifactError: nothing can be evaluated, and why.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    dataset = datasets.dataset_of(chosen)
    if chosen.scenes is not None:
        dataset = datasets.FirstScenes(dataset, chosen.scenes)
    graphs = chosen.graphs or Path("build/onnx") / chosen.preset / "fp32"
    sources = Sources(
        preset_named(chosen.preset),
        chosen.weights_directory,
        graphs,
        chosen.server,
        chosen.server_weights,
        chosen.cache,
        str(state.device),
        chosen.vggt,
    )
    for name in chosen.methods:
        offer = METHODS[name](sources)
        for geometry in chosen.geometry:
            for order in chosen.orders:
                settings = settings_of(chosen, dataset.name, name, offer, geometry, order)
                results = Results(run_folder(chosen.output, settings), settings)
                if state.is_main_process:
                    results.open()
                state.wait_for_everyone()
                part = Part(state.process_index, state.num_processes)
                pointmaps = geometry_for(geometry, offer, sources)
                run(dataset, offer.method, pointmaps, order, results, part, chosen.corrective_clicks)
    state.wait_for_everyone()
    if not state.is_main_process:
        return
    runs = gathered(chosen.output, list(METHODS), {dataset.name: dataset.scenes()})
    tables = tables_of(runs, chosen.averaging)
    write_tables(chosen.output, tables)
    logger.info("Read %s", chosen.output / "tables.md")
    if chosen.page is not None:
        own = [each for each in runs if each.dataset == dataset.name]
        facts = [command, f"{available_cores()} CPU cores", datetime.date.today().isoformat()]
        write_page(
            chosen.page, f"{dataset.name}: methods compared", facts, tables_of(own, chosen.averaging), dataset, own
        )
        logger.info("Read %s", chosen.page)


def settings_of(
    chosen: argparse.Namespace, dataset: str, key: str, offer: Offer, geometry: str, order: Order
) -> dict[str, Any]:
    """Everything that other results would come of."""
    return {
        "dataset": dataset,
        "seed": chosen.seed,
        "key": key,
        "method": offer.method.name,
        "paper_name": offer.paper_name,
        "preset": chosen.preset,
        "weights": dict(offer.weights),
        "geometry": TITLES[geometry],
        "order": str(order),
    } | ({"corrective_clicks": chosen.corrective_clicks} if chosen.corrective_clicks else {})


if __name__ == "__main__":
    sys.exit(main())
