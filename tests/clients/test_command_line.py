"""The command `mvsam`: it finds its subcommands, and every failure is a sentence with a remedy and an exit code."""

import io
import os
import subprocess
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import EntryPoint, EntryPoints, entry_points

import grpc
import pytest

import mvsam_command
from mvsam_client import cli
from mvsam_client.command_line import CommandError, Exit, guarded
from mvsam_client.errors import InvalidRequestError, ServerError
from mvsam_client.progress import Progress
from tests.waiting import wait_until

COMMANDS = ("segment", "encode", "view", "bench", "doctor", "completion")


def test_help_lists_the_commands(capsys):
    for arguments in ([], ["--help"]):
        assert cli.main(arguments) == 0
        out = capsys.readouterr().out
        assert all(f"\n  {name} " in out for name in (*COMMANDS, "evaluate")) and "130 interrupted" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_tells_the_exit_codes(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0 and f"usage: mvsam {name}" in out and "Exit codes: 0 done" in out


def test_a_command_of_a_distribution_that_is_missing_names_it(monkeypatch, capsys):
    monkeypatch.setattr(cli, "entry_points", lambda **selection: EntryPoints())
    assert cli.main(["evaluate"]) == 1
    assert "the distribution `mvsam` brings this command; install it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("segmnt", "did you mean segment?"), ("evalute", "did you mean evaluate?"), ("dance", "there are")],
)
def test_a_mistyped_command_is_told_with_the_right_one(typed, meant, capsys):
    assert cli.main([typed]) == 2
    err = capsys.readouterr().err
    assert meant in err and len(err.splitlines()) == 1


def test_a_mistyped_option_is_told_with_the_right_one(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["bench", "--click-count", "3", "--viwes", "3"])
    assert stop.value.code == 2
    with pytest.raises(SystemExit):
        cli.main(["bench", "--viwes", "3"])
    assert "there is no option --viwes; did you mean --views?" in capsys.readouterr().err


def test_other_distributions_add_commands(monkeypatch):
    # `len` stands for a command: it returns the number of the arguments that it was given.
    found = EntryPoints([EntryPoint("evaluate", "builtins:len", cli.GROUP)])
    monkeypatch.setattr(cli, "entry_points", lambda **selection: found.select(**selection))
    assert cli.main(["evaluate", "--port", "1"]) == 2


def test_a_command_whose_packages_are_missing_names_them(monkeypatch, capsys):
    found = EntryPoints([EntryPoint("evaluate", "mvsam_nowhere.evaluation:main", cli.GROUP)])
    monkeypatch.setattr(cli, "entry_points", lambda **selection: found.select(**selection))
    assert cli.main(["evaluate"]) == 1
    assert "the package mvsam_nowhere is not installed" in capsys.readouterr().err


def raised(error: BaseException) -> int:
    def command() -> int:
        raise error

    return guarded("mvsam try", command)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InvalidRequestError("the click is outside"), Exit.USAGE, "the click is outside"),
        (ServerError("an engine fell over"), Exit.FAILED, "an engine fell over"),
        (CommandError("no check of this name", Exit.USAGE), Exit.USAGE, "no check of this name"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
        (PermissionError(13, "Permission denied", "/out/a.png"), Exit.FAILED, "/out/a.png: Permission denied"),
        (LookupError("a defect"), Exit.FAILED, "LookupError: a defect; this is a defect of the program"),
    ],
)
def test_every_failure_has_its_exit_code_and_one_sentence(error, code, told, capsys):
    assert raised(error) == code
    err = capsys.readouterr().err
    assert err.startswith("mvsam try: ") and told in err and len(err.splitlines()) == 1


def test_a_defect_can_be_looked_at(monkeypatch):
    monkeypatch.setenv("MVSAM_DEBUG", "1")
    with pytest.raises(LookupError):
        raised(LookupError("a defect"))


def test_a_reader_that_leaves_early_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    program = "from mvsam_client.cli import main; import sys; sys.exit(main(['--help']))"
    run = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (run.returncode, run.stderr) == (Exit.FAILED, "")


@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(["--help"], ""), (["segment", "--help"], "1"), (["completion", "bash"], "")]
)
def test_output_that_cannot_be_written_is_told(arguments, unbuffered):
    program = "from mvsam_client.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == Exit.FAILED
    assert run.stderr.endswith(
        ": standard output cannot be written (No space left on device); make room, or write elsewhere\n"
    )
    assert len(run.stderr.splitlines()) == 1


def test_closed_output_is_no_defect():
    program = "from mvsam_client.cli import main; import sys; sys.exit(main(['--help']))"
    run = subprocess.run(
        ["bash", "-c", 'exec "$0" -c "$1" >&-', sys.executable, program], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (Exit.DONE, "")


def test_a_token_is_shown_and_asked_for(server, photographs, tmp_path, capsys, monkeypatch):
    seen = []

    def wants_a_token(tensors, context):
        seen.append(dict(context.invocation_metadata()).get("authorization"))
        if seen[-1] != "Bearer right":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")

    server.behaviour = wants_a_token
    request = ["segment", str(photographs[0]), "--click", "0:1,2", "--out", str(tmp_path / "out"), "--url", server.url]
    assert cli.main(request) == 1
    assert "--token-file" in capsys.readouterr().err
    token = tmp_path / "token"
    token.write_text("right\n")
    assert cli.main([*request, "--token-file", str(token)]) == 0
    monkeypatch.setenv("MVSAM_TOKEN", "right")
    assert cli.main(request) == 0
    assert seen == [None, "Bearer right", "Bearer right"]
    assert cli.main([*request, "--token-file", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: cannot be read" in capsys.readouterr().err


def test_files_of_an_encrypted_connection_are_read_before_anything_is_sent(photographs, tmp_path, capsys):
    request = ["segment", str(photographs[0]), "--click", "0:1,2", "--out", str(tmp_path / "out")]
    assert cli.main([*request, "--tls-ca", str(tmp_path / "nowhere.pem")]) == 2
    assert "nowhere.pem cannot be read" in capsys.readouterr().err


def test_the_installed_command_is_this_one():
    (script,) = entry_points(group="console_scripts", name="mvsam")
    assert script.load() is mvsam_command.main


def test_ctrl_c_while_packages_are_loaded_is_no_traceback(monkeypatch, capsys):
    class Interrupting(MetaPathFinder):
        def find_spec(self, fullname, path, target=None):
            if fullname == "mvsam_client.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "mvsam_client.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert mvsam_command.main() == Exit.INTERRUPTED == mvsam_command.INTERRUPTED
    assert capsys.readouterr().err == "mvsam: interrupted\n"


def test_neither_torch_nor_the_main_distribution_is_imported():
    heavy = ("torch", "cv2", "pycocotools", "mvsam", "viser")
    program = (
        "import mvsam_client.cli as cli, sys; [cli.own_module(name) for name in cli.OWN]; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_counts_on_a_terminal_and_is_two_lines_elsewhere():
    terminal, plain = Terminal(), io.StringIO()
    for stream in (terminal, plain):
        with Progress("Working", stream, interval=0.01):
            if stream is terminal:  # drawn by a thread of its own
                wait_until(terminal.getvalue)
    assert "Working … 0 s" in terminal.getvalue() and terminal.getvalue().endswith("s\n")
    assert plain.getvalue().splitlines()[0] == "Working …" and "\r" not in plain.getvalue()
    with pytest.raises(KeyError), Progress("Working", plain):
        raise KeyError
    assert "stopped after" in plain.getvalue().splitlines()[-1]


def test_a_bar_fills_as_the_steps_are_done_and_never_wraps(monkeypatch):
    with Progress("Timing", io.StringIO(), total=4) as progress:
        assert "0/4" in progress.line() and "█" not in progress.line()
        progress.advance()
        assert progress.line().count("█") == 6 and "1/4" in progress.line()
        progress.advance(3)
        assert "░" not in progress.line()
        monkeypatch.setenv("COLUMNS", "20")
        assert len(progress.line()) < 20
