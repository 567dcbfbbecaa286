"""A machine for the doctor: a small project on disk, packages as pip leaves them, and a server that says it is well."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam.doctor import CHECKS, engines, gpu, repository
from mvsam.runtime.engines import Machine as Card
from mvsam_client.address import Address
from mvsam_client.doctor import Check, Finding, Machine, Room
from mvsam_client.doctor.contract import INPUTS, OUTPUTS
from mvsam_client.doctor.machine import installed
from mvsam_client.doctor_command import OWN, examined

# Any: their classes are made at import, where type checkers cannot see them.
messages: Any = service_pb2

GIB = 1 << 30
CARD = Card(tensorrt="11.4.0.106", driver="13.0", gpu="NVIDIA H100", capability="9.0", memory=80 * GIB)
PACKAGES = {
    "numpy": "1.26.4",
    "onnxruntime": "1.32.0",
    "torch": "2.13.0+cpu",
    "sam2": "1.1.0",
    "nvidia_pytriton": "0.7.0",
    "mvsam": "0.1.0",
    "mvsam_client": "0.1.0",
}
NETWORKS = ("pi3", "sam2_encoder", "mask_decoder")


@dataclass
class Server(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Says what it is told to say, and fails every request with `failure`."""

    url: str = ""
    live: bool = True
    ready: bool = True
    models: tuple[str, ...] = tuple(INPUTS)
    forgotten: str = ""  # an input that its models do not know
    locked: bool = False  # without a token that it knows
    failure: tuple[grpc.StatusCode, str] = (grpc.StatusCode.INTERNAL, "an engine fell over")

    def ServerLive(self, request, context):  # noqa: N802
        return messages.ServerLiveResponse(live=self.live)

    def ServerReady(self, request, context):  # noqa: N802
        return messages.ServerReadyResponse(ready=self.ready)

    def ServerMetadata(self, request, context):  # noqa: N802
        if self.locked and ("authorization", "Bearer right") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")
        return messages.ServerMetadataResponse(name="stand-in", version="1.2.3")

    def ModelReady(self, request, context):  # noqa: N802
        return messages.ModelReadyResponse(ready=request.name in self.models)

    def ModelMetadata(self, request, context):  # noqa: N802
        answer = messages.ModelMetadataResponse(name=request.name)
        for name, kind in INPUTS[request.name].items():
            if name != self.forgotten:
                answer.inputs.add(name=name, datatype=kind)
        for name, kind in OUTPUTS[request.name].items():
            answer.outputs.add(name=name, datatype=kind)
        return answer

    def ModelStreamInfer(self, request_iterator, context):  # noqa: N802
        context.abort(*self.failure)


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Runs a stand-in, on a port of its own."""
    running = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(server, running)
    server.url = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    running.start()
    yield server
    running.stop(None).wait()


@dataclass
class Patient:
    """Everything that a test can spoil.

    Attributes:
        folder: that all of it lies in.
        server: of the machine; it need not run.
        machine: what the checks are given.
        card: of the engines; None where there is no GPU.
        providers: of ONNX Runtime.
        processes: started by the test, ended with it.
        services: likewise, of this program.
    """

    folder: Path
    server: Server
    machine: Machine
    card: Card | None = CARD
    providers: list[str] = field(default_factory=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    processes: list[subprocess.Popen] = field(default_factory=list)
    services: list[HTTPServer] = field(default_factory=list)

    @classmethod
    def well(cls, folder: Path, server: Server) -> "Patient":
        """A machine with a GPU-less demo, nothing wrong with it."""
        project = folder / "project"
        for name in ("packages", "bin", "shared_memory"):
            (folder / name).mkdir(parents=True)
        machine = Machine(
            Address(server.url, timeout=10),
            http_port=free_port(),
            project=project,
            python=(3, 11),
            packages={},
            program_path=str(folder / "bin"),
            shared_memory=folder / "shared_memory",
            room=lambda path: Room(64 * GIB, 32 * GIB),
        )
        patient = cls(folder, server, machine)
        patient.install(**PACKAGES)
        write_weights(project / "weights")
        graphs = project / "build" / "onnx" / "demo" / "fp32"
        for network in NETWORKS:
            write_graph(graphs / network, network, project / "weights")
            write_model(project, network, 'backend: "onnxruntime"')
            write_graph(patient.served(network), network, project / "weights")
        write_model(project, "mvsam_scene", 'backend: "python"')
        return patient

    @property
    def project(self) -> Path:
        return self.machine.project

    def served(self, model: str) -> Path:
        """The folder of a model's version in the repository."""
        return self.project / "build" / "repository" / "demo" / model / "1"

    def change(self, **facts: Any) -> None:
        """Other facts of the machine."""
        self.machine = replace(self.machine, **facts)

    def install(self, **versions: str | None) -> None:
        """As pip leaves packages; None removes one. An underscore stands for a hyphen."""
        folder = self.folder / "packages"
        for name, version in versions.items():
            for path in folder.glob(f"{name}-*.dist-info"):
                shutil.rmtree(path)
            if version:
                path = folder / f"{name}-{version}.dist-info"
                path.mkdir()
                (path / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        self.change(packages=installed([str(folder)]))

    def program(self, name: str, script: str) -> None:
        """A program on the machine's PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, program: str, *arguments: str) -> subprocess.Popen:
        """A process that runs Python until the test ends, and has printed a line."""
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        )
        self.processes.append(process)
        return process

    def listen(self, service: HTTPServer) -> int:
        """Lets a service answer; its port."""
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.services.append(service)
        return service.server_port

    def end(self) -> None:
        """Ends what was started."""
        for service in self.services:
            service.shutdown()
            service.server_close()
        for process in self.processes:
            process.kill()
            process.communicate()

    def here(self) -> Card:
        """What engines are bound to."""
        return Card.here() if self.card is None else self.card

    def checks(self) -> list[Check]:
        """All of them, with what the machine has in place of this one's GPU."""
        given = {
            "engines": partial(engines.examine, here=self.here),
            "repository": partial(repository.examine, here=self.here),
            "gpu": partial(gpu.examine, providers=lambda: self.providers),
        }
        return [replace(check, examine=given.get(check.name, check.examine)) for check in (*OWN, *CHECKS)]

    def findings(self, *names: str) -> list[Finding]:
        """What the checks of these names say; all where none is named."""
        chosen = [check for check in self.checks() if not names or check.name in names]
        return [finding for check in chosen for finding in examined(check, self.machine)]


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def write_weights(folder: Path, preset: str = "demo") -> None:
    """Whole safetensors files, one number each, pinned."""
    pins = {}
    for index, network in enumerate(NETWORKS):
        header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        content = len(header).to_bytes(8, "little") + header + index.to_bytes(4, "little")
        path = folder / preset / f"{network}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        pins[f"{preset}/{network}.safetensors"] = hashlib.sha256(content).hexdigest()
    (folder / "pins.json").write_text(json.dumps(pins))


def write_graph(folder: Path, network: str, weights: Path) -> None:
    """A graph and its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(network.encode())
    digest = json.loads((weights / "pins.json").read_text())[f"demo/{network}.safetensors"]
    write_manifest(folder, {"preset": "demo", "precision": "fp32", "weights": {"sha256": digest}})


def write_engine(folder: Path, **built_for: Any) -> None:
    """An accepted engine and its manifest, for CARD where nothing else is said."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / "model.plan").write_bytes(b"engine")
    machine = {"tensorrt": CARD.tensorrt, "gpu": CARD.gpu, "capability": CARD.capability} | built_for
    options = {"version_compatible": False, "hardware_compatible": False}
    names = {"preset": "demo", "precision": "mixed"}
    write_manifest(folder, {**names, "accepted": {"mean": 1.0}, "machine": machine, "options": options})


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({**content, "files": files}))


def write_model(project: Path, name: str, config: str) -> None:
    folder = project / "build" / "repository" / "demo" / name
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "config.pbtxt").write_text(f"{config}\n")
