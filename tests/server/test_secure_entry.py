"""An entry that asks for certificates and tokens."""

import hashlib
import json
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from mvsam_client import (
    Click,
    Client,
    InvalidRequestError,
    MvsamError,
    ServerUnavailableError,
    Tls,
    UnauthenticatedError,
    UnknownSceneError,
)
from server.trials.running import Served, served
from tests.waiting import wait_until

TOKEN, OTHER = "correct horse", "battery staple"
CLICK = [Click(view=0, x=5, y=5)]
TLS_FILES = ("tls-cert", "tls-key", "tls-client-ca")  # options, and the server's own copies


@dataclass(frozen=True)
class Keys:
    """Files of the server's authority and another, of certificates and their keys: a stranger's is of the other.

    The server itself has copies of its own, which tests may change.
    """

    authority: Path
    other_authority: Path
    server: tuple[Path, Path]
    renewed: tuple[Path, Path]
    client: tuple[Path, Path]
    stranger: tuple[Path, Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secure")


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    pairs = {}
    for name in ("server", "renewed", "client", "stranger"):
        issued = (other if name == "stranger" else authority).issue_cert("127.0.0.1")
        pairs[name] = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(pairs[name][0])
        issued.private_key_pem.write_to_path(pairs[name][1])
    return Keys(folder / "authority.pem", folder / "other.pem", **pairs)


@pytest.fixture(scope="module")
def service(demo_repository: Path, folder: Path, keys: Keys) -> Iterator[Served]:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    other = hashlib.sha256(OTHER.encode()).hexdigest()
    tokens = (("studio", digest), ("other", other))
    (folder / "tokens.toml").write_text("".join(f'[[token]]\nname = "{n}"\nsha256 = "{d}"\n' for n, d in tokens))
    for option, file in zip(TLS_FILES, (*keys.server, keys.authority), strict=True):
        shutil.copy(file, folder / option)
    options = [f"--{option}={folder / option}" for option in TLS_FILES]
    with served(demo_repository, folder / "triton.log", *options, f"--tokens={folder}/tokens.toml") as service:
        yield service


def test_who_has_both_is_served(service, keys, photographs):
    with Client(service.grpc_url, token=TOKEN, tls=Tls(keys.authority, *keys.client)) as client:
        assert client.server.name == "triton"
        with client.encode(photographs[:1]) as scene:
            assert scene.segment(points=CLICK).areas.shape == (1, 1)
        assert client.segment(photographs[:1], points=CLICK).areas.shape == (1, 1)


@pytest.mark.parametrize("token", [None, "wrong horse"])
def test_without_the_token_nothing_is_told_or_done(service, keys, photographs, token):
    with Client(service.grpc_url, token=token, tls=Tls(keys.authority, *keys.client)) as client:
        for ask in (
            lambda: client.server,
            lambda: client.encode(photographs[:1]),
            lambda: client.segment(photographs[:1], points=CLICK),
        ):
            with pytest.raises(UnauthenticatedError, match=r"without a token; give Client\(url, token"):
                ask()


def test_without_a_certificate_of_the_authority_there_is_no_connection(service, keys):
    for tls in (Tls(keys.authority), Tls(keys.authority, *keys.stranger), None):
        with Client(service.grpc_url, token=TOKEN, tls=tls) as client, pytest.raises(ServerUnavailableError):
            _ = client.server


def test_a_server_that_another_signed_is_not_trusted(service, keys):
    with Client(service.grpc_url, token=TOKEN, tls=Tls()) as client, pytest.raises(ServerUnavailableError):
        _ = client.server


def asked_over_http(service: Served, path: str, context: ssl.SSLContext | None, token: str = TOKEN) -> tuple[int, Any]:
    """Status and JSON."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        asked = urllib.request.Request(f"https://{service.http_url}/{path}", headers=headers)
        with urllib.request.urlopen(asked, timeout=60, context=context) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_http_has_the_same_certificates_and_tokens(service, keys):
    trusted = ssl.create_default_context(cafile=str(keys.authority))
    status, told = asked_over_http(service, "v2", trusted)
    assert status == 403 and "no certificate of a client; " in told["error"]
    trusted.load_cert_chain(*keys.client)
    assert asked_over_http(service, "v2", trusted)[1]["name"] == "triton"
    for path in ("v2", "v2/models/mvsam", "v2/models/mvsam/ready"):
        assert asked_over_http(service, path, trusted, "")[0] == 401
    stranger = ssl.create_default_context(cafile=str(keys.authority))
    stranger.load_cert_chain(*keys.stranger)
    for context in (stranger, None):  # signed by another, and not trusting this one
        with pytest.raises(OSError):
            asked_over_http(service, "v2", context)


def test_probes_of_health_need_no_certificate_but_tls(service):
    assert service.scheme == "https"
    assert [service.get(path)[0] for path in ("v2/health/live", "v2/health/ready", "metrics")] == [200] * 3
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{service.http_url}/v2/health/live", timeout=60)


def test_another_tokens_scene_is_unknown_in_the_same_words(service, keys, photographs):
    tls = Tls(keys.authority, *keys.client)
    with (
        Client(service.grpc_url, token=TOKEN, tls=tls) as mine,
        Client(service.grpc_url, token=OTHER, tls=tls) as other,
        mine.encode(photographs[:1]) as scene,
    ):
        told = []
        for name in (scene.id, "0" * 32):
            with pytest.raises(UnknownSceneError) as unknown:
                other.scene(name).segment(points=CLICK)
            told.append(str(unknown.value))
        assert told[0] == told[1]
        assert scene.segment(points=CLICK).areas.shape == (1, 1)


def test_files_that_do_not_fit_are_refused(keys, tmp_path):
    with pytest.raises(InvalidRequestError, match="go together"):
        Client(tls=Tls(keys.authority, keys.client[0]))
    with pytest.raises(MvsamError, match="cannot be read"):
        Client(tls=Tls(tmp_path / "nowhere.pem"))


def test_tokens_that_are_added_or_withdrawn_count_without_a_new_start(service, keys, folder, photographs):
    def lets_in(token: str) -> bool:
        with Client(service.grpc_url, token=token, tls=Tls(keys.authority, *keys.client)) as client:
            try:
                return bool(client.server)
            except UnauthenticatedError:
                return False

    file = folder / "tokens.toml"
    before = file.read_text()
    digest = hashlib.sha256(b"hay bale").hexdigest()
    with Client(service.grpc_url, token=TOKEN, tls=Tls(keys.authority, *keys.client)) as client:
        scene = client.encode(photographs[:1])
        file.write_text(f'[[token]]\nname = "guest"\nsha256 = "{digest}"\n')
        wait_until(lambda: lets_in("hay bale"))
        assert not lets_in(TOKEN)
        with pytest.raises(UnauthenticatedError):
            scene.segment(points=CLICK)
        file.write_text("token = []")
        wait_until(lambda: "stays in force" in service.log())
        assert lets_in("hay bale") and not lets_in(TOKEN)
        file.write_text(before)
        wait_until(lambda: lets_in(TOKEN))
        assert not lets_in("hay bale")
        scene.close()


def shown(url: str, authority: Path, client: tuple[Path, Path] | None = None) -> bytes:
    """The certificate that a server shows."""
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2"])
    if client:
        context.load_cert_chain(*client)
    host, _, port = url.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=60) as connection,
        context.wrap_socket(connection, server_hostname=host) as encrypted,
    ):
        return encrypted.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_shown_without_a_new_start(service, keys, folder):
    def is_shown(pair: tuple[Path, Path]) -> bool:
        certificate = ssl.PEM_cert_to_DER_cert(pair[0].read_text())
        return {shown(url, keys.authority) for url in (service.grpc_url, service.http_url)} == {certificate}

    def copy(pair: tuple[Path, Path]) -> None:
        for file, option in zip(pair, TLS_FILES, strict=False):
            shutil.copy(file, folder / option)

    def refusals() -> int:
        return service.log().count("stays in force")

    assert is_shown(keys.server)
    tls = Tls(keys.authority, *keys.client)
    with Client(service.grpc_url, token=TOKEN, tls=tls) as opened:
        assert opened.server
        for broken in ((keys.renewed[0], keys.server[1]), keys.renewed[::-1], (folder / "tokens.toml", keys.server[1])):
            before = refusals()
            copy(broken)
            wait_until(partial(lambda so_far: refusals() > so_far, before))
            assert is_shown(keys.server)
        copy(keys.renewed)
        wait_until(lambda: is_shown(keys.renewed))
        assert opened.server
    with Client(service.grpc_url, token=TOKEN, tls=tls) as client:
        assert client.server
    copy(keys.server)
    wait_until(lambda: is_shown(keys.server))


def test_another_authority_of_clients_counts_without_a_new_start(service, keys, folder):
    def is_let_in(pair: tuple[Path, Path]) -> bool:
        context = ssl.create_default_context(cafile=str(keys.authority))
        context.load_cert_chain(*pair)
        try:
            over_http = asked_over_http(service, "v2", context)[0] == 200
        except OSError:
            over_http = False
        with Client(service.grpc_url, token=TOKEN, tls=Tls(keys.authority, *pair), retries=0) as client:
            try:
                over_grpc = bool(client.server)
            except ServerUnavailableError:
                over_grpc = False
        return over_http and over_grpc

    assert is_let_in(keys.client)
    shutil.copy(keys.other_authority, folder / "tls-client-ca")
    wait_until(lambda: is_let_in(keys.stranger))
    assert not is_let_in(keys.client)
    shutil.copy(keys.authority, folder / "tls-client-ca")
    wait_until(lambda: is_let_in(keys.client))
    assert not is_let_in(keys.stranger)


def test_the_token_is_kept_nowhere(service, folder):
    assert TOKEN not in service.get("metrics")[1]
    for file in folder.iterdir():
        assert TOKEN not in file.read_text(errors="replace"), file
