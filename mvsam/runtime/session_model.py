"""What the embedded server's graph backends share: a Triton model that is one session.

Imported inside Triton's stub only.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.runtime.portions import in_portions
from mvsam.runtime.triton import Request, respond


class SessionModel:
    """One instance of one graph; a backend says how its session is loaded."""

    @staticmethod
    def load(folder: Path) -> Any:
        """A session of a graph's folder."""
        raise NotImplementedError

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Leaves the config as it is: ours are complete, and `initialize` compares them with the graph."""
        return config

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        if "niceness" in config["parameters"]:  # before the session, whose threads inherit it
            os.nice(int(config["parameters"]["niceness"]["string_value"]))
        portion = config["parameters"].get("views_at_once")
        self._portion = int(portion["string_value"]) if portion else None
        self._name = args["model_name"]
        self._session = self.load(Path(args["model_repository"]) / args["model_version"])
        self._session.signature.check(self._name, config)

    def execute(self, requests: list[Any]) -> list[Any]:
        return respond(requests, self._name, self._run)

    def _run(self, request: Request) -> dict[str, np.ndarray]:
        inputs = {name: request[name] for name in self._session.inputs}
        return in_portions(self._session.run, inputs, self._portion) if self._portion else self._session.run(inputs)
