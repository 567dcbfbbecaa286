"""What each graph is given on calibration scenes, found by running the chain, in memory or as files."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.scenes import CalibrationScene
from export.verify import Recorded, geometry_images
from mvsam.networks.graphs import GRAPHS
from mvsam.runtime.segmenter import Segmenter

GraphInputs = dict[str, dict[str, np.ndarray]]  # graph -> tensor -> array


def representative_inputs(segmenter: Segmenter, scenes: Iterable[CalibrationScene]) -> Iterator[GraphInputs]:
    """The inputs of all graphs, scene by scene; π³'s, too, where a scene brings its geometry.

    Raises:
        RequestError: a scene that the service would refuse.
    """
    records = {name: Recorded(getattr(segmenter, name)) for name in GRAPHS if name != "pi3"}
    recorded = replace(segmenter, **records)
    for scene in scenes:
        recorded.segment(scene.images, scene.prompts, scene.geometry)
        given = {name: record.inputs for name, record in records.items()}
        yield {"pi3": {"images": geometry_images(segmenter, scene)}} | given


def write_inputs(folder: Path, inputs: Iterable[GraphInputs]) -> list[Path]:
    """Writes <folder>/<graph>/<scene>.npz, each under a temporary name first."""
    written = []
    for index, graphs in enumerate(inputs):
        for graph, arrays in graphs.items():
            path = folder / graph / f"{index:04d}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".tmp")
            with temporary.open("wb") as file:
                np.savez(file, **arrays)
            temporary.replace(path)
            written.append(path)
    return written
