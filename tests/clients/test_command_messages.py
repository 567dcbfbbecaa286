"""Messages of the command line speak of files, clicks and options, and say what to do."""

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from PIL import ImageFont

from mvsam_client import (
    Client,
    InvalidRequestError,
    ServerBusyError,
    ServerNotReadyError,
    ServerUnavailableError,
    Tls,
    cli,
)
from mvsam_client.command_words import worded
from mvsam_client.errors import from_status
from mvsam_client.pictures import wrapped
from tests.clients.scenes_stand_in import GONE, scenes_served

TENSOR = re.compile(r"\b[A-Z]{4,}(_[A-Z]+)*\b")  # IMAGES, POINT_VIEWS
OUR_OWN = {"HOST", "PORT", "VIEW", "JPEG", "WEBP", "MVSAM_TOKEN", "FILE", "SECONDS", "INTERNAL", "HTTP"}


@pytest.fixture
def run(server, photographs, tmp_path, capsys):
    def call(
        *arguments: object, command: str = "segment", files=photographs, url: str | None = None
    ) -> tuple[int, str]:
        places = ["--url", url or server.url] + (["--out", str(tmp_path / "out")] if command == "segment" else [])
        code = cli.main([command, *map(str, files), *places, *map(str, arguments)])
        err = capsys.readouterr().err
        assert not {found[0] for found in TENSOR.finditer(err)} - OUR_OWN, err
        return code, err

    return call


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        (["--click", "3:1,2"], r"--click 3:1,2: view 3 does not exist: .* the last photograph is view 2, image 2.jpg"),
        (["--click", "0:80,5"], r"--click 0:80,5 is outside image 0.jpg, which is 80x60 .*; give X from 0 to 79"),
        (["--click", "1:47,64,-@3"], r"--click 1:47,64,-@3 is outside image 1.jpg, which is 48x64 when held upright"),
        (["--box", "2:30,2,10,40"], r"--box 2:30,2,10,40 is empty: write the upper left corner first"),
        (["--box", "2:0,0,51,50"], r"--box 2:0,0,51,50 is outside image 2.jpg, which is 50x50"),
        (["--click", "0:1,2", "--click", "1:3,4,-@1"], r"--click 1:3,4,-@1: object 1 has negative clicks only; add a"),
    ],
)
def test_prompts_that_cannot_be_are_told_by_their_option_and_file(run, server, prompts, says):
    code, err = run(*prompts)
    assert code == 2 and re.search(says, err), err
    assert server.calls == 0


@pytest.mark.parametrize("prompts", [["--click", "0:79.4,-0.5"], ["--box", "0:-0.5,0,80,60"], ["--click", "1:47,63"]])
def test_prompts_at_the_edge_are_sent(run, prompts):
    assert run(*prompts)[0] == 0


REFUSALS = {
    "IMAGES: view 1 has 9000x9000 pixels, more than the 50000000 allowed; send a smaller photograph": "image 1.jpg has",
    "IMAGES: view 2 is a truncated JPEG; send it again": "image 2.jpg is a truncated JPEG",
    "IMAGES: 101 photographs, more than the 100 allowed; send fewer views": "101 photographs, more than",
    "IMAGES and PROMPT_MASKS have 9 bytes together, more than the 8 allowed": "the photographs have 9 bytes together",
    "POINTS: 300 clicks an object, more than the 256 allowed; send fewer clicks": "--click: 300 clicks an object",
    "POINT_VIEWS: object 0, click 1 names view 7 of 3; give 0 to 2": "--click: object 0, click 1 names view 7",
    "BOX_OBJECTS: box 0 names object 9 of 1": "--box: box 0 names object 9",
    "BOXES: 65 boxes, more than the 64 allowed; send fewer boxes": "--box: 65 boxes",
}


@pytest.mark.parametrize(("refusal", "says"), REFUSALS.items())
def test_what_the_server_refuses_is_told_without_tensors(run, server, refusal, says):
    server.behaviour = lambda tensors, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, refusal)
    code, err = run("--click", "0:1,2")
    assert code == 2 and says in err


def test_a_scene_that_is_gone_is_told_by_its_option(photographs, tmp_path, capsys):
    with scenes_served() as scenes:
        scenes.failures.append(GONE)
        request = ["segment", *map(str, photographs), "--scene", "0" * 32, "--click", "0:1,2"]
        assert cli.main([*request, "--out", str(tmp_path / "out"), "--url", scenes.url]) == 1
    err = capsys.readouterr().err
    assert "--scene: no scene has this id, or not any more; encode the photographs again" in err


def test_a_late_answer_is_told_with_the_option(run, server):
    released = threading.Event()
    server.behaviour = lambda tensors, context: released.wait(10)
    code, err = run("--click", "0:1,2", "--timeout", "0.3")
    released.set()
    assert code == 1 and "allow more time (--timeout SECONDS)" in err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost", "names no port from 1 to 65535; give HOST:PORT"),
        ("127.0.0.1:", "names no port"),
        ("127.0.0.1:80a", "names no port"),
        ("host:99999", "names no port"),
        ("host:0", "names no port"),
        (":8001", "names no host; give HOST:PORT"),
        ("my host:8001", "names no host"),
        ("::1:8001", r"write an IPv6 address in brackets, e.g. \[::1\]:8001"),
    ],
)
def test_an_address_without_port_or_host_is_told_before_anything_is_sent(run, url, says):
    with pytest.raises(InvalidRequestError, match=f"^url: .*{says}"):
        Client(url)
    for command in ("segment", "encode"):
        code, err = run(*(["--click", "0:1,2"] if command == "segment" else []), command=command, url=url)
        assert code == 2 and re.search(f"--url: .*{says}", err)


def test_addresses_of_every_kind_are_taken():
    for url in ("localhost:1", "127.0.0.1:8001", "[::1]:8001", "a.b-c.example:65535", "unix:/tmp/socket"):
        Client(url).close()
    wrong: list[Any] = [None, 8001, b"127.0.0.1:8001"]
    for url in wrong:
        with pytest.raises(InvalidRequestError, match="is no text; give HOST:PORT"):
            Client(url)


class Page(BaseHTTPRequestHandler):
    """A web server that knows HTTP/1 alone, as the service's HTTP port does."""

    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.close_connection = True


class Pages(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of connections that fail."""


@contextmanager
def http_served(context: ssl.SSLContext | None = None) -> Iterator[str]:
    with Pages(("127.0.0.1", 0), Page) as pages:
        if context:
            pages.socket = context.wrap_socket(pages.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=pages.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield f"127.0.0.1:{pages.server_port}"
        finally:
            pages.shutdown()


def test_the_http_port_is_told_from_the_grpc_port(run):
    with http_served() as url:
        with Client(url) as client, pytest.raises(ServerUnavailableError, match=r"speaks HTTP on this port, not gRPC"):
            _ = client.server
        code, err = run("--click", "0:1,2", url=url)
    assert code == 1 and "give the port of its gRPC endpoint, which is 8001" in err


def test_an_encrypted_http_port_is_told_from_the_grpc_port(run, tmp_path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with http_served(context) as url:
        code, err = run("--click", "0:1,2", "--tls-ca", tmp_path / "ca.pem", url=url)
        assert code == 1 and "give the port of its gRPC endpoint, which is 8001" in err
        code, err = run("--click", "0:1,2", url=url)
        assert code == 1 and "perhaps it is encrypted, then name the file of its authority with --tls-ca" in err


def test_an_encrypted_call_to_a_plain_port_is_told(run):
    code, err = run("--click", "0:1,2", "--tls")
    assert code == 1
    assert "not encrypted on this port; leave --tls and --tls-ca out, or give the port of its encrypted gRPC" in err


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff\0", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_a_certificate_is_told_before_the_call(run, server, tmp_path, content):
    file = tmp_path / "authority.pem"
    file.write_bytes(content)
    code, err = run("--click", "0:1,2", "--tls-ca", file)
    assert code == 2 and f"{file} holds no certificate in PEM; give the file of who signed" in err
    code, err = run("--click", "0:1,2", "--tls-cert", file, "--tls-key", file)
    assert code == 2 and f"{file} and {file} are no certificate and its key in PEM; give both" in err
    assert server.calls == 0


def test_certificates_are_taken_from_files_with_other_text(tmp_path):
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    for name, content in (
        ("ca.pem", "Größe\n".encode() + authority.cert_pem.bytes()),
        ("cert.pem", own.cert_chain_pems[0].bytes()),
        ("key.pem", own.private_key_pem.bytes()),
    ):
        (tmp_path / name).write_bytes(content)
    Client("127.0.0.1:1", tls=Tls(*(tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")))).close()


@pytest.mark.parametrize(
    "said",
    [
        "the service is not ready; try again in a few seconds",
        "the process that worked on this was lost; try again in a few seconds",
        "a part of the service was lost; try again in a few seconds",
        "the service is stopping; ask another, or try again in a few seconds",
    ],
)
def test_an_outage_is_told_as_one(said):
    error = from_status("UNAVAILABLE", said, "host:1")
    assert isinstance(error, ServerNotReadyError)
    assert str(error) == f"the server at host:1 is not available now: {said}"
    busy = from_status("UNAVAILABLE", "64 clicks are waiting already; try again in a second", "host:1")
    assert isinstance(busy, ServerBusyError) and "takes no more requests now" in str(busy)


def test_certificate_and_key_go_together_as_options(run, tmp_path):
    code, err = run("--click", "0:1,2", "--tls-cert", tmp_path / "own.pem")
    assert code == 2 and "--tls-cert and --tls-key go together; give both or neither" in err


@pytest.mark.parametrize(
    "text",
    [
        "SCENE/POINTS.jpg: no picture, no BOXES",
        "my SCENE: a.jpg cannot be read",
        "SCENERY.jpg has no picture",
        "photos/POINTSMAN.png: not a readable picture",
    ],
)
def test_words_of_a_user_are_left_alone(text):
    assert worded(text) == text


def test_a_videos_views_are_explained(run, server, tmp_path):
    cv2 = pytest.importorskip("cv2")
    film = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(31):
        writer.write(np.full((48, 64, 3), 8 * number, np.uint8))
    writer.release()
    code, err = run("--click", "3:1,2", "--frames", "3", files=[film])
    told, refused = err.splitlines()
    assert code == 2 and told.startswith(f"{film}: 3 of its frames are taken, at even distances")
    for view, name in enumerate(("walk_000000.jpg", "walk_000015.jpg", "walk_000030.jpg")):
        assert f"view {view} is {name}" in told
    assert "--frames" in told and "the last photograph is view 2, walk_000030.jpg" in refused
    assert "frames" not in run("--click", "0:1,2")[1], "photographs are no frames"


@pytest.mark.parametrize(
    "caption",
    [
        "0  kitchen.jpg  1.6 %, score 0.50",
        "12  " + "x" * 300 + ".jpg",
        "0  a.jpg  " + "  |  ".join(["1.6 %, score 0.50"] * 20),
        "0  " + r"\udcc3\udca9" * 120 + ".jpg",
    ],
)
@pytest.mark.parametrize("width", [40, 200])
def test_captions_take_lines_and_lose_nothing(caption, width):
    length = ImageFont.load_default(15).getlength
    lines = wrapped(caption, width, length)
    assert "".join(lines).replace(" ", "") == caption.replace(" ", "")
    assert all(length(line) <= width for line in lines)
