"""`make evaluate`: a server of its own, and `mvsam.evaluation.benchmarks` beside it."""

import sys
from pathlib import Path

from mvsam.evaluation.benchmarks.__main__ import main as evaluate
from mvsam.networks.presets import NETWORKS
from mvsam.runtime.artifacts import read_manifest
from server.launcher import TritonServer


def main(arguments: list[str]) -> int:
    """Takes the repository first, then what `python -m mvsam.evaluation.benchmarks` takes."""
    repository = Path(arguments[0])
    weights = [read_manifest(repository / name / "1")["weights"] for name in NETWORKS]
    identity = " ".join(str(each.get("sha256", each["source"])) for each in weights)
    with TritonServer(repository) as server:
        return evaluate([*arguments[1:], "--server", server.grpc_url, "--server-weights", identity])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
