"""A token that cannot be sent is refused in words, and files of tokens are read as editors write them."""

from pathlib import Path

import grpc
import pytest

from mvsam_client import AsyncClient, Client, InvalidRequestError, cli

UNFIT = {
    "right\n": "it holds a line break",
    "right\nleft": "it holds a line break",
    "right\r\n": "it holds a line break",
    "rïght": "a character outside ASCII",
    "\ufeffright": "a character outside ASCII",
    " right": "a space at an end",
    "ri\tght": "a control character",
    "ri\0ght": "a control character",
    "": "it is empty",
    b"right": "it is no text, but bytes",
    7: "it is no text, but int",
}


@pytest.mark.parametrize(("token", "cause"), UNFIT.items(), ids=map(repr, UNFIT))
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token, cause):
    for make in (Client, AsyncClient):
        with pytest.raises(InvalidRequestError, match=f"token: .*{cause}.*; give the token alone") as refused:
            make("127.0.0.1:1", token=token)
        assert "ght" not in str(refused.value)


@pytest.fixture
def run(server, photographs, tmp_path, capsys):
    """`mvsam segment` at a server that wants the token `right`; (exit code, stderr)."""

    def wants_a_token(tensors, context):
        if ("authorization", "Bearer right") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")

    server.behaviour = wants_a_token

    def call(*arguments: str) -> tuple[int, str]:
        places = ["--out", str(tmp_path / "out"), "--url", server.url]
        code = cli.main(["segment", str(photographs[0]), "--click", "0:1,2", *places, *arguments])
        return code, capsys.readouterr().err

    return call


@pytest.mark.parametrize("content", [b"right", b"right\r\n", b"\xef\xbb\xbfright\n", b"  right \n\n"])
def test_a_token_file_is_read_as_editors_write_it(run, tmp_path: Path, content):
    file = tmp_path / "token"
    file.write_bytes(content)
    assert run("--token-file", str(file))[0] == 0


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"right\nleft\n", "it holds a line break"),
        ("rïght".encode(), "it holds a character outside ASCII"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        ("right".encode("utf-16"), "this is no text in UTF-8; save it as UTF-8"),
        (b"\xff\xfe\xfd", "this is no text in UTF-8"),
    ],
)
def test_a_file_without_a_token_is_named(run, server, tmp_path: Path, content, cause):
    file = tmp_path / "token"
    file.write_bytes(content)
    code, err = run("--token-file", str(file))
    assert code == 2 and f"--token-file {file}: {cause}" in err and "ght" not in err and server.calls == 0


def test_the_environments_token_is_read_likewise(run, server, monkeypatch):
    monkeypatch.setenv("MVSAM_TOKEN", "right\r\n")
    assert run()[0] == 0
    monkeypatch.setenv("MVSAM_TOKEN", "rïght")
    code, err = run()
    assert code == 2 and "MVSAM_TOKEN: it holds a character outside ASCII" in err
