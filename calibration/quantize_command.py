"""Quantizes a preset's encoders and keeps them only if the masks of the whole chain stay those of FP32."""

import argparse
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.inputs import representative_inputs
from calibration.quantize import ENCODERS, Format, QuantizationError, link_others, quantize_graph
from calibration.scenes import CalibrationScene
from export.chain import check_same_weights, exported_chain
from export.verify import Verdict, verify
from mvsam.networks.presets import Precision, Preset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quantization:
    """What is wanted.

    Attributes:
        preset: whose encoders.
        precision: of the exported graphs that Q/DQ is written into: fp16 or mixed.
        kind: INT8 or FP8.
        encoders: names of the graphs.
        leave: `<graph>.<module>` of modules whose products stay as they are.
    """

    preset: Preset
    precision: Precision
    kind: Format
    encoders: Sequence[str] = ENCODERS
    leave: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.leave:
            if name.partition(".")[0] not in self.encoders:
                raise ValueError(f"--leave {name}: begin with one of {', '.join(self.encoders)} and a dot")

    def left(self, graph: str) -> list[str]:
        """Names of one graph's modules."""
        return [name.partition(".")[2] for name in self.leave if name.partition(".")[0] == graph]


def quantize_preset(wanted: Quantization, graphs: Path, output: Path, scenes: Sequence[CalibrationScene]) -> Verdict:
    """Calibrates on every other scene, compares masks on the rest, and installs what is accepted.

    Args:
        wanted: see `Quantization`.
        graphs: folder of exported graphs, at fp32 and at the precision.
        output: folder that `export.engines_command --graphs` can be given.
        scenes: at least two.

    Raises:
        ArtifactError: graphs that are missing or not what their manifests say.
        QuantizationError: ModelOpt is missing, or the masks are not those of FP32.
        ValueError: fewer than two scenes.
    """
    if len(scenes) < 2:
        raise ValueError("give at least two scenes: one to find scales on, one to judge them by")
    exported = graphs / wanted.preset.name
    reference = exported_chain(exported / Precision.FP32, wanted.preset)
    inputs = list(representative_inputs(reference, scenes[::2]))
    folder = output / wanted.preset.name
    staging = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for name in wanted.encoders:
            check_same_weights(exported / Precision.FP32 / name, exported / wanted.precision / name)
            manifest = quantize_graph(
                exported / wanted.precision / name,
                staging / wanted.precision / name,
                wanted.kind,
                [each[name] for each in inputs],
                wanted.left(name),
            )
            logger.info("%s: %d products in %s", name, manifest["quantized"]["products"], wanted.kind)
        link_others(exported, staging, wanted.precision)
        verdict = verify(reference, exported_chain(staging / wanted.precision, wanted.preset), scenes[1::2])
        if not verdict.accepted:
            raise QuantizationError(
                f"{verdict}\nnot accepted, nothing was installed; at fault: {', '.join(verdict.culprits) or 'all'}."
                " Quantize less: fewer --encoders, or modules to --leave"
            )
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return verdict


def run(chosen: argparse.Namespace, preset: Preset, scenes: Sequence[CalibrationScene]) -> None:
    """The subcommand."""
    output = chosen.output or Path(f"build/onnx_{chosen.format}")
    wanted = Quantization(preset, chosen.precision, chosen.format, chosen.encoders, chosen.leave)
    logger.info("%s\ninstalled in %s", quantize_preset(wanted, chosen.graphs, output, scenes), output / preset.name)
