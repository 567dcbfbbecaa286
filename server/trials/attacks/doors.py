"""Ways in other than the two ports for clients, tried as another user of the machine."""

import base64
import contextlib
import http.client
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import grpc
import psutil
from tritonclient.grpc import service_pb2_grpc

from mvsam_client.wire import channel_options
from server.trials.attacks import as_nobody
from server.trials.attacks.target import Attack, Outcome, Target, messages, words

SHARED_MEMORY = "/dev/shm"
CONFIG = {
    "name": "evil",
    "backend": "python",
    "max_batch_size": 0,
    "input": [{"name": "IN", "data_type": "TYPE_INT32", "dims": [1]}],
    "output": [{"name": "OUT", "data_type": "TYPE_INT32", "dims": [1]}],
    "instance_group": [{"kind": "KIND_CPU"}],
}


def foreign_code(target: Target) -> Outcome:
    """Asks every TCP port of the service's processes to load a model whose code leaves a mark."""
    mark = target.folder / "mark"
    code = f"open({str(mark)!r}, 'w').close()\nclass TritonPythonModel:\n    pass\n"
    ports = sorted(listening(target))
    public = {int(url.rsplit(":", 1)[1]) for url in (target.service.grpc_url, target.service.http_url)}
    statuses = [status for port in ports for status in (_load_over_http(port, code), _load_over_grpc(port, code))]
    ran = mark.exists()
    mark.unlink(missing_ok=True)
    inner = len(set(ports) - public)
    return Outcome(
        f"{inner} TCP ports besides the two; loads by all ports: {words(statuses)}; "
        f"foreign code {'ran' if ran else 'did not run'}",
        not inner and not ran,
    )


def opened_by_nobody(target: Target) -> Outcome:
    """Opens all that the service's processes have open, and what is named after them, as the user nobody."""
    if os.geteuid() != 0:
        return Outcome("not tried: only root can try as another user", True)
    places = sorted(private_places(target))
    nobody = pwd.getpwnam("nobody")
    told = {"user": nobody.pw_uid, "group": nobody.pw_gid, "places": [*places, "/"]}
    command = [sys.executable, "-I", "-S", as_nobody.__file__]
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, check=True, timeout=60)
    opened = json.loads(done.stdout)
    assert opened[-1:] == ["/"], "the check must be able to fail"
    kinds = words(_kind(place) for place in places)
    return Outcome(f"{len(opened) - 1} of {len(places)} open ({kinds})", opened == ["/"])


def listening(target: Target) -> set[int]:
    """TCP ports on which a process of the service listens."""
    ports: set[int] = set()
    for process in target.service.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            ports |= {each.laddr.port for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN}
    return ports


def private_places(target: Target) -> set[str]:
    """Files and sockets that the service's processes hold, but for what belongs to the operator or to all."""
    places: set[str] = set()
    sockets = _sockets()
    for process in target.service.processes():
        folder = Path(f"/proc/{process.pid}")
        with contextlib.suppress(OSError):
            for number in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    link = os.readlink(number)
                    if link.startswith("socket:["):
                        places |= {sockets[link[8:-1]]} & set(sockets.values()) if link[8:-1] in sockets else set()
                    elif link.startswith(("/tmp/", SHARED_MEMORY, str(target.folder))):
                        places.add(link)
            for line in (folder / "maps").read_text().splitlines():
                if SHARED_MEMORY in line:
                    places.add(line[line.index(SHARED_MEMORY) :])
    places |= {str(each) for each in target.folder.glob("triton.log*")}
    for place in list(places):
        parent = Path(place).parent
        if parent.name.startswith("mvsam_"):
            places |= {str(parent), *map(str, parent.rglob("*"))}
    operators = {str(target.folder / "serve.log"), str(target.folder)}
    return {place.removesuffix(" (deleted)") for place in places if not place.endswith("(deleted)")} - operators


def _sockets() -> dict[str, str]:
    """Names of Unix sockets that are listened to, by their number."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return {row[6]: row[7] for row in rows if len(row) > 7}


def _kind(place: str) -> str:
    if place.startswith(SHARED_MEMORY):
        return "of shared memory"
    return "sockets" if place.startswith("@") or Path(place).is_socket() else "files and folders"


def _load_over_http(port: int, code: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    parameters = {"config": json.dumps(CONFIG), "file:1/model.py": base64.b64encode(code.encode()).decode()}
    try:
        connection.request("POST", "/v2/repository/models/evil/load", json.dumps({"parameters": parameters}))
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def _load_over_grpc(port: int, code: str) -> str:
    asked = messages.RepositoryModelLoadRequest(model_name="evil")
    asked.parameters["config"].string_param = json.dumps(CONFIG)
    asked.parameters["file:1/model.py"].bytes_param = code.encode()
    url = f"127.0.0.1:{port}"
    with grpc.insecure_channel(url, options=channel_options(url)) as channel:
        try:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).RepositoryModelLoad(asked, timeout=20)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


ATTACKS = [
    Attack(
        "a model of foreign code, loaded by any TCP port of the service's processes: there are two ports, and none "
        "loads",
        foreign_code,
    ),
    Attack("all files, sockets and shared memory of the service, as the user nobody: none opens", opened_by_nobody),
]
