"""Reviewed islands: modules that compute in FP32 because calibration found that they have to, a file a preset.

    {"pi3": ["decoder.31.mlp.fc2"], "sam2_encoder": []}

What a network's own code declares (mvsam/networks) needs no line here.
"""

import json
from pathlib import Path

from mvsam.networks.graphs import GRAPHS

FOLDER = Path(__file__).resolve().parent.parent / "calibration" / "islands"


class IslandsError(ValueError):
    """A file of islands that cannot be followed."""


def reviewed_islands(preset: str, folder: Path = FOLDER) -> dict[str, list[str]]:
    """Names of modules for each graph; none where the preset has no file.

    Raises:
        IslandsError: the file is no JSON of this form; the message names what is wrong.
    """
    path = folder / f"{preset}.json"
    none: dict[str, list[str]] = {name: [] for name in GRAPHS}
    if not path.is_file():
        return none
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:  # no JSON, or no text
        raise IslandsError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in found.values()
    ):
        raise IslandsError(f"{path} must map graphs to lists of modules' names")
    if unknown := found.keys() - GRAPHS.keys():
        raise IslandsError(f"{path} names {', '.join(sorted(unknown))}; the graphs are {', '.join(GRAPHS)}")
    return none | found
