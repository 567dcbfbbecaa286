"""`make engines`: exported graphs become verified TensorRT engines for the GPU of this machine.

Plans are built in a folder of their own, and take the place of former ones only when together they give the masks of
the FP32 graphs. With POLYGRAPHY_USE_TENSORRT_RTX=1 (`make engines-check`) the same path runs without a GPU:
TensorRT-RTX builds plans that cannot run here, PyTorch stands in for them with every intermediate rounded, and nothing
is installed.
"""

import datetime
import logging
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from calibration.scenes import CalibrationScene
from export.builder import BuildError, Options, build_plan
from export.chain import check_same_weights, exported_chain
from export.memory import check_fits
from export.probes import by_tensorrt
from export.refusal import explain
from export.verify import MEAN_IOU, OUTPUT_ERROR, WORST_IOU, Verdict, verify
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision, Preset
from mvsam.runtime.artifacts import sha256, verified, write_json
from mvsam.runtime.engines import PLAN, Machine
from mvsam.runtime.segmenter import Session

# What an engine's manifest repeats of its graph's.
KEPT = (
    "graph", "preset", "precision", "islands", "quantized", "types", "tensors", "weights", "constants", "view_bytes",
)  # fmt: skip

logger = logging.getLogger(__name__)


class RefusedError(RuntimeError):
    """Engines whose masks are not those of the FP32 graphs."""


class Runner(Protocol):
    """Makes a session of a plan that was just built."""

    def __call__(self, graph: str, plan: bytes, manifest: dict[str, Any]) -> Session: ...


@dataclass(frozen=True)
class Project:
    """What is to be built.

    Attributes:
        preset: of the graphs.
        precision: of the graphs.
        graphs: folder of the preset's exported graphs, a folder a precision.
        machine: whose engines; None: TensorRT-RTX's, which are checked and thrown away.
        options: of every build.
        stop: set, ends the work at the next step.
    """

    preset: Preset
    precision: Precision
    graphs: Path
    machine: Machine | None
    options: Options = field(default_factory=Options)
    stop: threading.Event = field(default_factory=threading.Event)

    def make(self, output: Path, runner: Runner, scenes: Iterable[CalibrationScene] | None) -> Verdict | None:
        """Builds, verifies and installs all engines, or leaves everything as it was.

        Args:
            output: the folder of the engines, a folder each.
            runner: of their plans.
            scenes: to accept them by; None, where nothing is installed, only builds.

        Returns:
            What was found of the masks.

        Raises:
            ArtifactError: a graph is not what its manifest says.
            TooLargeError: the largest request does not fit the card.
            BuildError: TensorRT refuses, or the work was interrupted.
            RefusedError: the masks differ; the message names the first graph that makes them.
        """
        staging = output.with_name(output.name + ".tmp")
        shutil.rmtree(staging, ignore_errors=True)
        if scenes is not None:
            for name in GRAPHS:
                check_same_weights(self.graphs / Precision.FP32 / name, self.graphs / self.precision / name)
        try:
            built = {name: self._build(name, staging / name) for name in GRAPHS}
            if scenes is None and self.machine is None:
                return None
            sessions = {name: runner(name, *built.pop(name)) for name in GRAPHS}
            verdict = self._judge(sessions, scenes or ())
            self._record(staging, verdict)
            if not verdict.accepted:
                raise RefusedError(explain(verdict, self.graphs, self.precision, self.machine and by_tensorrt))
            if self.machine is not None:
                replace_folder(staging, output)
            return verdict
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _build(self, name: str, folder: Path) -> tuple[bytes, dict[str, Any]]:
        """Builds one plan, written beside its manifest; returns both."""
        graph, source = GRAPHS[name], self.graphs / self.precision / name
        exported = verified(source)
        shapes = self.options.sizes.shapes(graph, self.preset)
        if self.machine is not None:
            largest = {tensor: each[2] for tensor, each in shapes.items()}
            check_fits(graph, self.preset, self.precision, largest, self.machine.memory)
        plan = build_plan(
            graph, self.preset, source, self.options, lambda stage: logger.info("%s: %s", name, stage), self.stop
        )
        folder.mkdir(parents=True)
        (folder / PLAN).write_bytes(plan)
        manifest = {
            **{key: exported[key] for key in KEPT if key in exported},
            "onnx": exported["files"],
            "files": {PLAN: sha256(folder / PLAN)},
            "machine": self.machine and asdict(self.machine),
            "profile": {tensor: [list(shape) for shape in each] for tensor, each in shapes.items()},
            "aspect": self.options.sizes.aspect,
            "options": {
                "workspace": self.options.workspace,
                "version_compatible": self.options.version_compatible,
                "hardware_compatible": self.options.hardware_compatible,
            },
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "accepted": False,
        }
        write_json(folder / "manifest.json", manifest)
        logger.info("%s: %.1f MB", name, len(plan) / 1e6)
        return plan, manifest

    def _judge(self, sessions: dict[str, Session], scenes: Iterable[CalibrationScene]) -> Verdict:
        reference = exported_chain(self.graphs / Precision.FP32, self.preset)
        return verify(reference, replace(reference, **sessions), self._until_stopped(scenes))

    def _until_stopped(self, scenes: Iterable[CalibrationScene]) -> Iterator[CalibrationScene]:
        for scene in scenes:
            if self.stop.is_set():
                raise BuildError("interrupted while masks were compared; nothing was installed")
            logger.info("comparing masks: %s", scene.name)
            yield scene

    def _record(self, staging: Path, verdict: Verdict) -> None:
        """What was found, in each manifest."""
        for name in GRAPHS:
            manifest = verified(staging / name)
            manifest["accepted"] = verdict.accepted and self.machine is not None
            manifest["tolerances"] = {"mean IoU": MEAN_IOU, "worst IoU": WORST_IOU, "output": OUTPUT_ERROR}
            manifest["achieved"] = {
                "mean IoU": verdict.mean,
                "worst IoU": verdict.worst,
                "masks": verdict.masks,
                "outputs": verdict.errors[name],
            }
            write_json(staging / name / "manifest.json", manifest)


def replace_folder(new: Path, old: Path) -> None:
    """Puts a folder in another's place; a crash between leaves the former one beside it, whole."""
    former = old.with_name(old.name + ".former")
    shutil.rmtree(former, ignore_errors=True)
    if old.exists():
        old.rename(former)
    new.rename(old)
    shutil.rmtree(former, ignore_errors=True)
