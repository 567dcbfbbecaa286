"""Exported graphs as one chain, and the question whether two exports are of the same networks."""

from pathlib import Path

from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Preset
from mvsam.runtime.artifacts import ArtifactError, read_manifest
from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.segmenter import Segmenter


def exported_chain(folder: Path, preset: Preset) -> Segmenter:
    """All graphs, computed by ONNX Runtime.

    Args:
        folder: of the graphs at one precision, a folder each.
        preset: theirs.

    Raises:
        ArtifactError: a graph is not what its manifest says.
    """
    sessions = (OnnxSession(folder / name) for name in GRAPHS)
    return Segmenter(*sessions, encoder_side=preset.encoder.side, geometry_pixels=preset.geometry_pixels)


def check_same_weights(reference: Path, candidate: Path) -> None:
    """Two graphs that are to be compared must have been exported from the same weights.

    Raises:
        ArtifactError: they were not, or a manifest is missing.
    """
    one, other = (read_manifest(folder)["weights"] for folder in (reference, candidate))
    if one != other:
        raise ArtifactError(
            f"{reference} and {candidate} were exported from different weights: export both again with `make export`"
        )
