"""Faults for the doctor to find: each is planted as it happens, in files, sockets, processes or what a server says."""

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import trustme

from mvsam_client.address import Address
from mvsam_client.connection import Tls
from mvsam_client.doctor import Level, Room
from tests.clients.patient import GIB, Patient, free_port, write_engine, write_model

LISTEN = (
    "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
    "print(s.getsockname()[1], flush=True); time.sleep(600)"
)
WAIT = "import time; print('here', flush=True); time.sleep(600)"


def nobody_serves(patient: Patient) -> None:
    patient.change(address=Address(f"127.0.0.1:{free_port()}"))


def start_http_server(patient: Patient, folder: Path) -> int:
    """Another program's, which offers a folder; its port."""
    handler = "functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])"
    program = patient.start(
        f"import functools, http.server, sys; h = http.server.HTTPServer(('127.0.0.1', 0), {handler}); "
        "print(h.server_port, flush=True); h.serve_forever()",
        str(folder),
    )
    assert program.stdout is not None
    return int(program.stdout.readline())


def http_in_place_of_grpc(patient: Patient) -> None:
    patient.change(address=Address(f"127.0.0.1:{start_http_server(patient, patient.folder / 'bin')}"))


class Health(BaseHTTPRequestHandler):
    """A server's, on its HTTP port."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class HealthServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of connections that fail."""


def health_in_place_of_grpc(patient: Patient) -> None:
    """Served by the program that serves gRPC too, which is this one."""
    port = patient.listen(HealthServer(("127.0.0.1", 0), Health))
    patient.change(address=Address(f"127.0.0.1:{port}"), http_port=port)


def start_encrypted_health(patient: Patient) -> Tls:
    """On the HTTP port; what it is trusted by."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(patient.folder / "authority.pem")
    server = HealthServer(("127.0.0.1", 0), Health)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    patient.change(http_port=patient.listen(server))
    return Tls(patient.folder / "authority.pem")


def encrypted_health_answers_and_grpc_does_not(patient: Patient) -> None:
    nobody_serves(patient)
    tls = start_encrypted_health(patient)
    patient.change(address=replace(patient.machine.address, tls=tls))


def encrypted_health_in_place_of_grpc(patient: Patient) -> None:
    tls = start_encrypted_health(patient)
    patient.change(address=Address(f"127.0.0.1:{patient.machine.http_port}", tls=tls))


def encrypted_without_an_authority(patient: Patient) -> None:
    start_encrypted_health(patient)
    patient.change(address=Address(f"127.0.0.1:{patient.machine.http_port}"))


def health_encrypted_without_an_authority(patient: Patient) -> None:
    nobody_serves(patient)
    start_encrypted_health(patient)


def signed_by_another(patient: Patient) -> None:
    encrypted_health_in_place_of_grpc(patient)
    trustme.CA().cert_pem.write_to_path(patient.folder / "authority.pem")


def port_taken(patient: Patient) -> None:
    nobody_serves(patient)
    program = patient.start(LISTEN)
    assert program.stdout is not None
    patient.change(http_port=int(program.stdout.readline()))


def health_answers_and_grpc_does_not(patient: Patient) -> None:
    nobody_serves(patient)
    health = patient.folder / "http" / "v2" / "health"
    health.mkdir(parents=True)
    (health / "live").write_text("live\n")
    patient.change(http_port=start_http_server(patient, patient.folder / "http"))


def server_dead(patient: Patient) -> None:
    patient.server.live = False


def server_not_ready(patient: Patient) -> None:
    patient.server.ready = False


def server_asks_for_a_token(patient: Patient) -> None:
    patient.server.locked = True


def another_triton(patient: Patient) -> None:
    patient.server.models = ()


def without_the_ensemble(patient: Patient) -> None:
    patient.server.models = ("mvsam_scene",)


def older_server(patient: Patient) -> None:
    patient.server.forgotten = "PREVIOUS"


def failing_server(patient: Patient) -> None:
    """As the stand-in is anyway."""


def slow_server(patient: Patient) -> None:
    patient.server.failure = (grpc.StatusCode.DEADLINE_EXCEEDED, "")


def address_of_the_web(patient: Patient) -> None:
    patient.change(address=Address("http://127.0.0.1:8001"))


def python_3_13(patient: Patient) -> None:
    patient.change(python=(3, 13))


def numpy_2(patient: Patient) -> None:
    patient.install(numpy="2.1.3")


def two_onnxruntimes(patient: Patient) -> None:
    patient.install(onnxruntime_gpu="1.31.1")


def torchvision_of_another_torch(patient: Patient) -> None:
    patient.install(torchvision="0.21.0")


def torchvision_of_another_build(patient: Patient) -> None:
    patient.install(torchvision="0.28.0+cu130")


def no_sam2(patient: Patient) -> None:
    patient.install(sam2=None)


def no_embedded_triton(patient: Patient) -> None:
    patient.install(nvidia_pytriton=None)


def older_client(patient: Patient) -> None:
    patient.install(mvsam_client="0.0.9")


def official_is_a_pointer(patient: Patient) -> None:
    folder = patient.project / "weights" / "official"
    folder.mkdir()
    (folder / "pi3.safetensors").write_text("version https://git-lfs.github.com/spec/v1\nsize 3834774552\n")


def weights_changed(patient: Patient) -> None:
    path = patient.project / "weights" / "demo" / "pi3.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


def weights_cut_short(patient: Patient) -> None:
    path = patient.project / "weights" / "demo" / "pi3.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def weights_missing(patient: Patient) -> None:
    (patient.project / "weights" / "demo" / "pi3.safetensors").unlink()


def decoder_of_large_missing(patient: Patient) -> None:
    folder = patient.project / "weights"
    shutil.copytree(folder / "demo", folder / "large")
    (folder / "large" / "mask_decoder.safetensors").unlink()


def pins_spoilt(patient: Patient) -> None:
    (patient.project / "weights" / "pins.json").write_text("{")


def graph_changed(patient: Patient) -> None:
    path = patient.project / "build" / "onnx" / "demo" / "fp32" / "pi3" / "model.onnx"
    path.write_bytes(b"another")


def graph_of_other_weights(patient: Patient) -> None:
    path = patient.project / "weights" / "pins.json"
    pins = json.loads(path.read_text())
    path.write_text(json.dumps(pins | {"demo/mask_decoder.safetensors": "0" * 64}))


def engine_of_another_gpu(patient: Patient) -> None:
    write_engine(patient.project / "build" / "engines" / "demo" / "mixed" / "pi3", gpu="NVIDIA A10", capability="8.6")


def engine_of_another_tensorrt(patient: Patient) -> None:
    write_engine(patient.project / "build" / "engines" / "demo" / "mixed" / "pi3", tensorrt="10.9.0")


def engine_without_gpu(patient: Patient) -> None:
    patient.card = None
    write_engine(patient.project / "build" / "engines" / "demo" / "mixed" / "pi3")


def engine_served_without_gpu(patient: Patient) -> None:
    patient.card = None
    write_model(patient.project, "pi3", 'backend: "tensorrt"')
    write_engine(patient.served("pi3"))


def served_graph_changed(patient: Patient) -> None:
    (patient.served("pi3") / "model.onnx").write_bytes(b"another")


def repository_incomplete(patient: Patient) -> None:
    shutil.rmtree(patient.served("mvsam_scene").parent)


def white_space_in_the_path(patient: Patient) -> None:
    moved = patient.folder / "my project"
    patient.project.rename(moved)
    patient.change(project=moved)


def nvidia_smi_fails(patient: Patient) -> None:
    patient.program("nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")


def gpu_is_there(patient: Patient, driver: str = "580.95.05") -> None:
    patient.program("nvidia-smi", f"echo 'NVIDIA H100 80GB HBM3, {driver}, 81559, 12, 9.0'")


def old_driver(patient: Patient) -> None:
    gpu_is_there(patient, "535.183.01")
    install_for_gpu(patient)


def gpu_without_its_packages(patient: Patient) -> None:
    gpu_is_there(patient)


def install_for_gpu(patient: Patient) -> None:
    patient.install(onnxruntime=None, onnxruntime_gpu="1.31.1", tensorrt="11.4.0", cuda_bindings="13.5.0")


def onnxruntime_without_cuda(patient: Patient) -> None:
    gpu_is_there(patient)
    install_for_gpu(patient)
    patient.providers = ["CPUExecutionProvider"]


def little_shared_memory(patient: Patient) -> None:
    patient.change(room=lambda path: Room(64 << 20, 64 << 20) if "shared" in str(path) else Room(64 * GIB, 32 * GIB))


def full_shared_memory(patient: Patient) -> None:
    patient.change(room=lambda path: Room(8 * GIB, GIB) if "shared" in str(path) else Room(64 * GIB, 32 * GIB))


def leave_segments(patient: Patient) -> str:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    prefix = f"mvsam_{gone.pid}_0123abcd_"
    (patient.machine.shared_memory / f"{prefix}1").write_bytes(bytes(3 << 20))
    return prefix


def segments_left(patient: Patient) -> None:
    leave_segments(patient)


def triton_without_launcher(patient: Patient) -> None:
    program = patient.start(WAIT, f"--backend-config=python,shm-region-prefix-name={leave_segments(patient)}")
    assert program.stdout is not None
    program.stdout.readline()


def disk_full(patient: Patient) -> None:
    patient.change(room=lambda path: Room(64 * GIB, GIB // 2 if path == patient.project else 32 * GIB))


def disk_filling(patient: Patient) -> None:
    patient.change(room=lambda path: Room(64 * GIB, 5 * GIB))


def out_is_a_file(patient: Patient) -> None:
    (patient.project / "out").write_text("in the way")


@dataclass(frozen=True)
class Fault:
    """What is planted, and what must be said of it."""

    plant: Callable[[Patient], None]
    check: str
    level: Level
    fact: str
    remedy: str


PROBLEM, WARNING = Level.PROBLEM, Level.WARNING
FAULTS = [
    Fault(nobody_serves, "server", PROBLEM, "no server answers", "make serve"),
    Fault(http_in_place_of_grpc, "server", PROBLEM, r"belongs to `.*http.* \(process \d+\)", "--url"),
    Fault(
        health_in_place_of_grpc, "server", PROBLEM, "is the HTTP port of a server", r"gRPC port: --url 127.0.0.1:\d+"
    ),
    Fault(health_in_place_of_grpc, "ports", PROBLEM, "is the HTTP port of a server", r"gRPC port: --url 127.0.0.1:\d+"),
    Fault(health_answers_and_grpc_does_not, "server", PROBLEM, "is starting", "wait until"),
    Fault(encrypted_health_answers_and_grpc_does_not, "server", PROBLEM, "is starting", "wait until"),
    Fault(
        encrypted_health_in_place_of_grpc,
        "server",
        PROBLEM,
        "is the HTTP port of a server",
        "name the server's gRPC port",
    ),
    Fault(
        encrypted_without_an_authority, "server", PROBLEM, "speaks TLS, and no certificate authority", "--tls-ca FILE"
    ),
    Fault(
        health_encrypted_without_an_authority,
        "ports",
        PROBLEM,
        "speaks TLS, and no certificate authority",
        "--tls-ca FILE",
    ),
    Fault(
        health_encrypted_without_an_authority,
        "server",
        PROBLEM,
        "speaks TLS, and no certificate authority",
        "--tls-ca FILE",
    ),
    Fault(signed_by_another, "server", PROBLEM, "not accepted \\(unable to get local issuer", "--tls-ca FILE"),
    Fault(signed_by_another, "ports", PROBLEM, "not accepted \\(unable to get local issuer", "--tls-ca FILE"),
    Fault(server_dead, "server", PROBLEM, "not live", "build/log/triton.log"),
    Fault(server_not_ready, "server", PROBLEM, "not ready", "wait a minute"),
    Fault(server_asks_for_a_token, "server", PROBLEM, "asks for a token", "--token-file"),
    Fault(another_triton, "server", PROBLEM, "none of this project's models", "make repository"),
    Fault(without_the_ensemble, "server", WARNING, "not mvsam", "mvsam segment --scene"),
    Fault(older_server, "server", PROBLEM, "mvsam_scene has no input PREVIOUS", "git pull"),
    Fault(failing_server, "server", PROBLEM, "an engine fell over", "build/log/triton.log"),
    Fault(slow_server, "server", PROBLEM, "within 10 s", "--timeout"),
    Fault(address_of_the_web, "server", PROBLEM, "no address of a gRPC endpoint", "HOST:PORT"),
    Fault(
        port_taken, "ports", PROBLEM, r"health and metrics, is taken by `.*` \(process \d+\)", r"kill \d+.*HTTP_PORT"
    ),
    Fault(python_3_13, "packages", PROBLEM, "Python 3.13", "PYTHON=python3.11"),
    Fault(numpy_2, "packages", PROBLEM, "numpy 2.1.3", "pip install numpy==1.26.4"),
    Fault(two_onnxruntimes, "packages", PROBLEM, "both installed", "pip uninstall -y onnxruntime onnxruntime-gpu"),
    Fault(torchvision_of_another_torch, "packages", PROBLEM, "torchvision 0.21.0", r"torchvision 0\.28"),
    Fault(torchvision_of_another_build, "packages", PROBLEM, r"does not belong to torch 2\.13\.0\+cpu", "uninstall"),
    Fault(no_sam2, "packages", PROBLEM, "sam2 is not", "sam2==1.1.0"),
    Fault(no_embedded_triton, "packages", WARNING, "nvidia-pytriton", "serve"),
    Fault(older_client, "packages", WARNING, "mvsam-client of 0.0.9", "pip install -e . -e clients"),
    Fault(weights_changed, "weights", PROBLEM, "pi3.safetensors is not the file", "git checkout weights/demo"),
    Fault(official_is_a_pointer, "weights", PROBLEM, "pi3.safetensors is a Git LFS pointer", "download it again"),
    Fault(weights_cut_short, "weights", PROBLEM, "cut short", "git checkout weights/demo"),
    Fault(weights_missing, "weights", PROBLEM, "pi3.safetensors does not exist", "git checkout weights/demo"),
    Fault(decoder_of_large_missing, "weights", WARNING, "large/mask_decoder", "DECODER=projection"),
    Fault(pins_spoilt, "weights", PROBLEM, "pins.json is no list", "rm .*pins.json"),
    Fault(graph_changed, "graphs", PROBLEM, "graph pi3 .* damaged", r"rm -r \S+fp32 && make export PRESET=demo"),
    Fault(graph_of_other_weights, "graphs", WARNING, "mask_decoder .*other weights", "make export"),
    Fault(engine_of_another_gpu, "engines", PROBLEM, "NVIDIA A10", "make engines PRESET=demo PRECISION=mixed"),
    Fault(engine_of_another_tensorrt, "engines", PROBLEM, "TensorRT 10.9.0", "make engines PRESET=demo"),
    Fault(engine_without_gpu, "engines", WARNING, "no GPU", "RUNTIME=onnxruntime"),
    Fault(engine_served_without_gpu, "repository", PROBLEM, "no GPU", "RUNTIME=onnxruntime"),
    Fault(served_graph_changed, "repository", PROBLEM, "graph pi3 .* damaged", "make repository PRESET=demo"),
    Fault(repository_incomplete, "repository", PROBLEM, "no mvsam_scene", "make repository"),
    Fault(white_space_in_the_path, "repository", PROBLEM, "my project", "move the project"),
    Fault(nvidia_smi_fails, "gpu", PROBLEM, "version mismatch", "restart"),
    Fault(old_driver, "gpu", PROBLEM, "535.183.01", "driver 580"),
    Fault(gpu_without_its_packages, "gpu", WARNING, "tensorrt, onnxruntime-gpu", r"\.\[gpu\]"),
    Fault(onnxruntime_without_cuda, "gpu", PROBLEM, "not CUDAExecutionProvider", "pip uninstall -y onnxruntime-gpu"),
    Fault(little_shared_memory, "memory", PROBLEM, "64 MiB in all", "--shm-size"),
    Fault(full_shared_memory, "memory", WARNING, "1024 MiB free", "--shm-size"),
    Fault(segments_left, "memory", WARNING, "3 MiB of it were left", r"rm \S+/mvsam_\d+_0123abcd_\*"),
    Fault(triton_without_launcher, "memory", WARNING, "launcher is gone", r"kill \d+"),
    Fault(disk_full, "storage", PROBLEM, "0.5 GiB free", "make clean"),
    Fault(disk_filling, "storage", WARNING, "5.0 GiB free", "make room"),
    Fault(out_is_a_file, "storage", PROBLEM, "out cannot be written", "remove what is in its place"),
]
