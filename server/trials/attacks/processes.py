"""Another server in the same place, files of tokens that are none, and words that tell too much."""

import contextlib
import http.client
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from mvsam_client import MvsamError
from server.trials.attacks.pictures import tiny_photograph
from server.trials.attacks.target import Attack, Outcome, Target, kind_of, strings, words
from server.trials.running import PROJECT

START_WITHIN = 60.0  # seconds: for a start that is refused
FOLLOWED_WITHIN = 10.0  # seconds: for a changed file
LARGE = 60 * 10**6  # bytes of a photograph, for which 64 MB of shared memory are too little
DIGEST = "0" * 64
ENTRY = f'[[token]]\nname = "a"\nsha256 = "{DIGEST}"\n'
TOKEN_FILES = {
    "an empty list": "token = []\n",
    "an empty file": "",
    "not a number": f"{ENTRY}requests_per_minute = nan\n",
    "text": "let everybody in\n",
    "an unknown setting": f"{ENTRY}admin = true\n",
    "a token twice": f"{ENTRY}{ENTRY}",
}
INSIDE = re.compile(r"/dev/shm|mvsam_\d|segment|shm-size|docker|Traceback|\.py\b|boost", re.IGNORECASE)
LOGGED = re.compile(r"\d{4}-\d\d-\d\d |E\d{4} |starting ")  # by the service, by gRPC
BROKEN = {
    "no request": b"hello, is anybody there?\r\n\r\n",
    "HTTP/9.9": b"GET /v2 HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512),
    "a header of a megabyte": b"GET /v2 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2**20 + b"\r\n\r\n",
    "two lengths": b"POST /v2 HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nab",
    "an endless chunk": b"POST /v2/models/mvsam/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


def second_server(target: Target) -> Outcome:
    """Starts another server on the gRPC port, on the HTTP port, and with the log of the one that runs."""
    grpc_port, http_port = (url.rsplit(":", 1)[1] for url in (target.service.grpc_url, target.service.http_url))
    log, own = f"--log={target.folder / 'second.log'}", f"--log={target.folder / 'triton.log'}"
    ended = [
        _start(target, f"--grpc-port={grpc_port}", "--http-port=0", log),
        _start(target, "--grpc-port=0", f"--http-port={http_port}", log),
        _start(target, "--grpc-port=0", "--http-port=0", own),
    ]
    refused = sum(code == 1 and "\n" not in said for code, said in ended)
    return Outcome(f"{refused} of {len(ended)} starts refused", refused == len(ended))


def token_files(target: Target) -> Outcome:
    """Starts servers with files of tokens that are none."""
    file, told = target.folder / "others.toml", []
    for text in TOKEN_FILES.values():
        file.write_text(text)
        log = f"--log={target.folder / 'second.log'}"
        told.append(_start(target, "--grpc-port=0", "--http-port=0", f"--tokens={file}", log))
    refused = sum(
        code == 1 and len(said.strip().splitlines()) == 1 and said.startswith("error: ") for code, said in told
    )
    return Outcome(f"{refused} of {len(told)} files refused at the start in one line", refused == len(told))


def spoilt_tokens(target: Target) -> Outcome:
    """Spoils the file of tokens of the service that runs, and asks with the scheme in lower case."""
    file = target.folder / "tokens.toml"
    before, statuses = file.read_text(), []

    def ask(authorization: str) -> str:
        return target.http("/v2", None, {"authorization": authorization})[0]

    try:
        for place, text in enumerate(TOKEN_FILES.values(), 1):
            file.write_text(text)
            _wait(lambda n=place: target.service.log().count("stays in force") >= n)
            statuses += [ask(f"bearer {target.token}"), ask("Bearer nobody's"), ask("")]
    finally:
        file.write_text(before)
    expected = ["200", "401", "401"] * len(TOKEN_FILES)
    right = sum(one == other for one, other in zip(statuses, expected, strict=True))
    return Outcome(f"{right} of {len(expected)} answers as before: {words(statuses)}", right == len(expected))


def broken_http(target: Target) -> Outcome:
    """Sends what is no HTTP to the HTTP port."""
    own = 0
    for data in BROKEN.values():
        answer = _sent(target.service.http_url, data)
        own += re.match(rb"HTTP/1\.[01] 4\d\d ", answer) is not None and b'{"error": ' in answer
    return Outcome(f"{own} of {len(BROKEN)} answered with an error of our own form", own == len(BROKEN))


def no_clicks(target: Target) -> Outcome:
    """Asks for masks of no object, by the ensemble, on a scene and over HTTP."""
    empty = {
        "POINTS": np.zeros((0, 0, 2), np.float32),
        "POINT_LABELS": np.zeros((0, 0), np.int32),
        "POINT_VIEWS": np.zeros((0, 0), np.int32),
    }
    images = strings(tiny_photograph(0))
    body = b'{"inputs":[{"name":"IMAGES","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":%d}}' % (
        4 + len(images[0])
    )
    for name, kind, shape in (
        ("POINTS", "FP32", "0,0,2"),
        ("POINT_LABELS", "INT32", "0,0"),
        ("POINT_VIEWS", "INT32", "0,0"),
    ):
        body += f',{{"name":"{name}","datatype":"{kind}","shape":[{shape}],"data":[]}}'.encode()
    body += b"]}"
    headers = {"authorization": f"Bearer {target.token}", "Inference-Header-Content-Length": str(len(body))}
    data = body + len(images[0]).to_bytes(4, "little") + images[0]
    with target.client() as client, contextlib.closing(target.connection()) as asking:
        scene = client.encode([images[0]])
        named = {"ACTION": strings(b"segment"), "SCENE": strings(scene.id.encode())}
        kinds = [
            kind_of(lambda: asking.infer("mvsam", {"IMAGES": images} | empty, ("MASKS",), 60)),
            kind_of(lambda: list(asking.stream("mvsam_scene", named | empty, ("MASKS",), 60))),
            target.http("/v2/models/mvsam/infer", data, headers)[0],
        ]
        scene.close()
    return Outcome(words(kinds), kinds == ["InvalidRequestError", "InvalidRequestError", "400"])


def plain_http(target: Target) -> Outcome:
    """Speaks HTTP without TLS to a port with certificates, and TLS of old versions."""
    answer = _sent(target.service.http_url, b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    host, port = target.service.http_url.rsplit(":", 1)
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=context)
    connection.request("GET", "/v2/health/live")
    encrypted = connection.getresponse().status
    connection.close()
    return Outcome(f"{len(answer)} bytes without TLS, {encrypted} with it", not answer and encrypted == 200)


def little_shared_memory(target: Target) -> Outcome:
    """Sends a photograph for which there is no room, and reads the words."""
    told = ""
    inputs = {
        "IMAGES": strings(bytes(LARGE)),
        "POINTS": np.full((1, 1, 2), 3, np.float32),
        "POINT_LABELS": np.ones((1, 1), np.int32),
        "POINT_VIEWS": np.zeros((1, 1), np.int32),
    }
    with contextlib.closing(target.connection()) as asking:
        try:
            asking.infer("mvsam", inputs, ("MASKS",), 60)
        except MvsamError as error:
            told = f"{type(error).__name__}: {error}"
    inside = sorted({each.lower() for each in INSIDE.findall(told)})
    return Outcome(
        f"{told.partition(':')[0] or 'answered'}; "
        + (f"the words name {', '.join(inside)}" if inside else "the words name nothing of the server's inside"),
        not inside and bool(told),
    )


def _start(target: Target, *options: str) -> tuple[int, str]:
    """Exit code and errors of a server that should not start; it is ended where it does."""
    command = [sys.executable, "-m", "server.serve", f"--repository={target.repository}", *options]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _, said = process.communicate(timeout=START_WITHIN)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            return 0, ""
    errors = [line for line in said.splitlines() if not LOGGED.match(line)]
    return process.returncode, "\n".join(errors)


def _sent(url: str, data: bytes) -> bytes:
    """All that comes back, until the server ends the connection."""
    host, port = url.rsplit(":", 1)
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        while more := connection.recv(2**16):
            answer += more
    return answer


def _wait(happens: Callable[[], bool]) -> None:
    until = time.monotonic() + FOLLOWED_WITHIN
    while not happens() and time.monotonic() < until:
        time.sleep(0.05)


ATTACKS = [
    Attack("a second server on either port or with the same log: refused", second_server),
    Attack(f"{len(TOKEN_FILES)} files of tokens that are none: refused at the start in one line", token_files),
    Attack("the file of tokens spoilt while the service runs: the tokens read before stay in force", spoilt_tokens),
    Attack(f"{len(BROKEN)} kinds of broken HTTP: an error in our own form", broken_http),
    Attack("masks of no object, by ensemble, scene and HTTP: INVALID_ARGUMENT", no_clicks),
]
WITH_LITTLE = [
    Attack("HTTP without TLS to a port with certificates: no answer", plain_http),
    Attack("a photograph for which 64 MB of shared memory are too little: no word of the inside", little_shared_memory),
]
