"""Why a candidate was refused: the first graph at fault and, where its values can be looked at, the first layer."""

from pathlib import Path

from export.bisection import Probe, Side, first_jump
from export.probes import by_onnxruntime
from export.verify import OUTPUT_ERROR, Verdict
from mvsam.networks.presets import Precision


def explain(verdict: Verdict, graphs: Path, precision: Precision, probe: Probe | None) -> str:
    """A report that begins with the figures and ends with what to do.

    Args:
        verdict: not accepted.
        graphs: folder of the preset's exported graphs, at FP32 and at the precision.
        precision: of the candidate.
        probe: computes a value of the candidate's graphs; None where nothing here can.
    """
    said = [str(verdict)]
    if not verdict.culprits:
        return "\n".join([*said, "refused; no graph is at fault alone: their errors add up"])
    first = verdict.culprits[0]
    said.append(f"refused; first graph at fault: {first} (alone at fault: {', '.join(verdict.culprits)})")
    if probe is not None:
        reference = Side(graphs / Precision.FP32 / first, by_onnxruntime)
        candidate = Side(graphs / precision / first, probe)
        tolerance = min(OUTPUT_ERROR, max(verdict.errors[first].values()) / 2)
        jump = first_jump(reference, candidate, verdict.inputs[first], tolerance)
        said.append(str(jump or "all of its values that can be compared are close"))
    said.append("`make calibrate` measures every layer and proposes which are to compute in FP32")
    return "\n".join(said)
