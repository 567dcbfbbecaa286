"""A graph's weights lie in files beside it that the manifest names, and nowhere else."""

from pathlib import Path

import onnx
from onnx import external_data_helper

from mvsam.runtime.artifacts import ArtifactError, read_manifest
from mvsam.runtime.onnx import MODEL


def check_external_data(folder: Path) -> None:
    """Looks at where a graph says its weights are.

    Raises:
        ArtifactError: somewhere that the manifest, whose hashes were checked, does not name.
    """
    named = read_manifest(folder)["files"]
    model = onnx.load(folder / MODEL, load_external_data=False)
    for weights in model.graph.initializer:
        if external_data_helper.uses_external_data(weights):
            location = external_data_helper.ExternalDataInfo(weights).location
            if location not in named:
                raise ArtifactError(
                    f"{folder / MODEL} keeps weights in {location!r}, outside its folder or unnamed by its manifest: "
                    "export the graphs again with `make export`"
                )
