"""The demo preset with the weights in the repository."""

from pathlib import Path

import pytest

from calibration.chain import Networks
from mvsam.networks.checkpoints import weights_path
from mvsam.networks.presets import PRESETS

DEMO, WEIGHTS = PRESETS["demo"], Path(__file__).resolve().parents[2] / "weights"


@pytest.fixture(scope="session")
def networks() -> Networks:
    """Trained; π³ with random weights where it has no others yet."""
    return Networks.load(DEMO, WEIGHTS, [] if weights_path(WEIGHTS, DEMO, "pi3").is_file() else ["pi3"])
