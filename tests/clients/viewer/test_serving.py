"""The page is private to those who open it, quiet, and says what is missing."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from mvsam_client.errors import MissingExtraError
from mvsam_client.viewer import check_installed
from mvsam_client.viewer.serving import is_own, started, stop

OWN = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("host", "origin", "is_local", "expected"),
    [
        ("127.0.0.1:8080", OWN, True, True),
        ("localhost:8080", "http://localhost:8080", True, True),
        ("[::1]:8080", "http://[::1]:8080", True, True),
        ("127.0.0.1:8080", None, True, True),  # a program, or the address typed in
        ("127.0.0.1:8080", "http://127.0.0.1:3000", True, False),
        ("127.0.0.1:8080", "https://elsewhere.example", True, False),
        ("127.0.0.1:8080", "null", True, False),
        ("elsewhere.example:8080", "http://elsewhere.example:8080", True, False),  # a foreign name that leads here
        ("elsewhere.example:8080", None, True, False),
        ("studio.example:8080", "http://studio.example:8080", False, True),
        ("studio.example:8080", "http://elsewhere.example", False, False),
        ("", None, True, False),
    ],
)
def test_only_the_page_itself_is_served(host: str, origin: str | None, is_local: bool, expected: bool) -> None:
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    assert is_own(headers, is_local) is expected


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("viser")
    server = started("127.0.0.1", 18070)
    yield f"127.0.0.1:{server.get_port()}"
    stop(server)


def test_web_sockets_of_other_pages_are_refused(address: str) -> None:
    from viser import __version__
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect
    from websockets.typing import Origin, Subprotocol

    def greeting(origin: str) -> object:
        protocol = Subprotocol(f"viser-v{__version__}")
        with connect(f"ws://{address}", origin=Origin(origin), subprotocols=[protocol]) as socket:
            return socket.recv(timeout=30)

    assert greeting(f"http://{address}")
    with pytest.raises(InvalidStatus, match="403"):
        greeting("https://elsewhere.example")


def test_the_page_itself_is_there_and_no_other_name_leads_to_it(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}/", timeout=30) as answer:
        assert answer.status == 200
    request = urllib.request.Request(f"http://{address}/", headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError, match="403") as refusal:
        urllib.request.urlopen(request, timeout=30)
    refusal.value.close()


def test_viser_does_not_talk_over_us(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("viser")
    stop(started("127.0.0.1", 18071))
    assert capsys.readouterr() == ("", "")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(MissingExtraError, match=r"viser.*pip install './clients\[viewer\]'"):
        check_installed()
    with pytest.raises(MissingExtraError):
        started("127.0.0.1", 18072)


def test_the_package_imports_without_it() -> None:
    program = "import sys; sys.modules['viser'] = None; import mvsam_client.viewer, mvsam_client.view_command"
    subprocess.run([sys.executable, "-c", program], check=True)
