"""Servers as processes of their own, on a repository that is ready in a second, and what is left of them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from server import runtime
from server.watchdog import SHARED_MEMORY

PROJECT = Path(runtime.__file__).parent.parent

# Stands in for the ensemble: `serve` asks nothing of it but an answer to its first request.
ENSEMBLE = """
import numpy as np
import triton_python_backend_utils as pb_utils

from mvsam.pipeline.encodings import MaskEncoding, encode_mask

MASK = encode_mask(np.zeros((64, 96), bool), MaskEncoding.RLE)
ANSWER = {
    "MASKS": np.array([[MASK, MASK]], np.object_),
    "SCORES": np.zeros((1, 2), np.float32),
    "AREAS": np.zeros((1, 2), np.int64),
    "IMAGE_SIZES": np.array([[64, 96]] * 2, np.int32),
}

class TritonPythonModel:
    def execute(self, requests):
        if ANSWERS:
            tensors = [pb_utils.Tensor(name, array) for name, array in ANSWER.items()]
            return [pb_utils.InferenceResponse(tensors) for _ in requests]
        return [pb_utils.InferenceResponse([], pb_utils.TritonError("out of order")) for _ in requests]
"""
ENSEMBLE_CONFIG = """
backend: "python"
max_batch_size: 0
input [ { name: "IMAGES" data_type: TYPE_STRING dims: [ -1 ] },
        { name: "POINTS" data_type: TYPE_FP32 dims: [ -1, -1, 2 ] },
        { name: "POINT_LABELS" data_type: TYPE_INT32 dims: [ -1, -1 ] },
        { name: "POINT_VIEWS" data_type: TYPE_INT32 dims: [ -1, -1 ] },
        { name: "ENCODING" data_type: TYPE_STRING dims: [ 1 ] optional: true } ]
output [ { name: "MASKS" data_type: TYPE_STRING dims: [ -1, -1 ] },
         { name: "SCORES" data_type: TYPE_FP32 dims: [ -1, -1 ] },
         { name: "AREAS" data_type: TYPE_INT64 dims: [ -1, -1 ] },
         { name: "IMAGE_SIZES" data_type: TYPE_INT32 dims: [ -1, 2 ] } ]
instance_group { count: 1 kind: KIND_CPU }
"""


def traces(pid: int, temporary: Path) -> set[str]:
    """Names that only servers started by process `pid` give to shared memory, and arguments of their processes."""
    lines = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    alive = [line.split(maxsplit=1)[1] for line in lines if not line.startswith("Z")]
    prefix = f"mvsam_{pid}_"
    processes = {arguments for arguments in alive if prefix in arguments or str(temporary) in arguments}
    return processes | {path.name for path in SHARED_MEMORY.glob(f"{prefix}*")}


def start_serving(repository: Path, log: Path, *more: str, inside: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts the service on free ports, by another program that starts what it is given where `inside` names one."""
    command = [sys.executable, "-m", "server.serve", f"--repository={repository}", f"--log={log}"]
    ports = ["--grpc-port=0", "--http-port=0"]
    return subprocess.Popen(
        [*inside, *command, *ports, *more], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def said_until_ready(process: subprocess.Popen[str]) -> str:
    """Returns what a service has said once it is ready, or has ended."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    return "".join(lines)


def write_ensemble(repository: Path, answers: bool) -> None:
    """Adds a model that answers as the ensemble does, or fails."""
    version = repository / "mvsam" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(f"ANSWERS = {answers}\n{ENSEMBLE}")
    (repository / "mvsam" / "config.pbtxt").write_text(ENSEMBLE_CONFIG)
