"""`mvsam doctor` finds what is wrong, says what to do about it, and says nothing of what is right."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvsam.doctor import CHECKS, packages
from mvsam_client import cli, doctor_command
from mvsam_client.address import Address
from mvsam_client.doctor import Check, Level
from mvsam_client.doctor.contract import ENSEMBLE, INPUTS, OUTPUTS
from mvsam_client.outputs import CLOUD_OUTPUTS
from tests.clients.faults import (
    FAULTS,
    Fault,
    decoder_of_large_missing,
    gpu_is_there,
    graph_changed,
    install_for_gpu,
    weights_changed,
)
from tests.clients.patient import Patient, Server, serving, write_engine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    with serving(Server()) as server:
        made = Patient.well(tmp_path, server)
        yield made
        made.end()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.plant.__name__)
def test_a_planted_fault_is_found_and_its_remedy_named(patient: Patient, fault: Fault) -> None:
    fault.plant(patient)
    found = [finding for finding in patient.findings(fault.check) if finding.level is not Level.OK]
    told = [finding for finding in found if re.search(fault.fact, finding.fact)]
    assert told, found
    assert told[0].level is fault.level
    assert re.search(fault.remedy, told[0].remedy) and told[0].meaning
    unrelated = [finding for finding in found if finding not in told]
    # The stand-in fails its request whatever else is planted.
    assert all("an engine fell over" in finding.fact for finding in unrelated), unrelated


def test_nothing_is_wrong_with_a_machine_that_is_well(patient: Patient) -> None:
    gpu_is_there(patient)
    install_for_gpu(patient)
    write_engine(patient.project / "build" / "engines" / "demo" / "mixed" / "pi3")
    (patient.machine.shared_memory / f"mvsam_{os.getpid()}_0123abcd_1").write_bytes(b"in use")
    names = [check.name for check in patient.checks() if check.name != "server"]
    found = patient.findings(*names)
    assert {finding.level for finding in found} == {Level.OK}, found
    assert "the server's: `" in found[0].fact, "the gRPC port is told to be the server's own"


def test_a_new_project_with_nothing_built_is_well(patient: Patient) -> None:
    shutil.rmtree(patient.project / "build")
    (patient.project / "weights" / "pins.json").unlink()
    found = patient.findings("weights", "graphs", "engines", "repository", "gpu", "memory", "storage", "packages")
    assert {finding.level for finding in found} == {Level.OK}, found


def test_a_token_that_the_server_knows_opens_it(patient: Patient) -> None:
    patient.server.locked = True
    patient.change(address=Address(patient.server.url, token="right"))
    assert "it is ready (stand-in 1.2.3)" in [finding.fact for finding in patient.findings("server")]


def test_a_check_that_fails_is_told_and_the_others_are_made(patient: Patient) -> None:
    def fails(machine):
        raise LookupError("no such thing")

    (finding,) = doctor_command.examined(Check("odd", "fails", fails), patient.machine)
    assert finding.level is Level.WARNING and "no such thing" in finding.fact


@pytest.fixture
def doctor(patient, monkeypatch, capsys):
    """Runs `mvsam doctor` on the patient's project and server; (exit code, stdout, stderr)."""
    monkeypatch.setattr(doctor_command, "all_checks", patient.checks)

    def run(*arguments):
        places = ["--project", str(patient.project), "--url", patient.machine.address.url]
        code = cli.main(["doctor", *arguments, *places])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_exit_code_says_whether_there_is_a_problem(doctor, patient):
    code, out, _ = doctor("weights", "graphs")
    assert code == 0 and out.endswith("All is well.\n")
    decoder_of_large_missing(patient)
    code, out, _ = doctor("weights", "graphs")
    assert code == 0 and "0 problems, 1 warning" in out
    graph_changed(patient)
    code, out, _ = doctor("weights", "graphs")
    assert code == 1 and "1 problem, 1 warning" in out
    assert re.search(r"^graphs\n  problem  graph pi3.*\n {11}It is refused.\n {11}-> rm -r", out, re.MULTILINE)


def test_json_holds_what_is_printed(doctor, patient):
    weights_changed(patient)
    code, out, _ = doctor("weights", "server", "--json")
    told = json.loads(out)
    assert code == 1 and told["problems"] == 2 and told["warnings"] == 0
    (changed,) = [finding for finding in told["findings"] if finding["check"] == "weights"]
    assert changed["level"] == "problem" and "git checkout" in changed["remedy"]


def test_a_mistyped_check_is_told_with_the_right_one(doctor):
    code, out, err = doctor("wieghts")
    assert code == 2 and not out and "did you mean weights?" in err


def test_a_project_that_is_not_there_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--project", "/nowhere/at/all"])
    assert ended.value.code == 2 and "--project /nowhere/at/all is no folder" in capsys.readouterr().err


def test_without_the_main_distribution_the_doctor_says_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(doctor_command, "entry_points", lambda **selection: [])
    assert [check.name for check in doctor_command.all_checks()] == ["server", "ports", "installation"]


def test_no_torch_is_imported():
    program = "import mvsam.doctor, mvsam_client.doctor_command, sys; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT).strip() == "False"


def test_what_the_doctor_knows_is_what_the_project_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"numpy=={packages.NUMPY}" in project["dependencies"]
    assert project["requires-python"] == ">=3.11,<3.13" and packages.PYTHONS == ((3, 11), (3, 12))
    assert f"sam2=={packages.SAM2}" in (ROOT / "Makefile").read_text()
    assert len({check.name for check in (*doctor_command.OWN, *CHECKS)}) == 10


def test_the_contract_is_that_of_the_model_repository():
    kinds = {"TYPE_STRING": "BYTES"}
    for model, inputs in INPUTS.items():
        text = (ROOT / "model_repository" / model / "config.pbtxt").read_text()
        sections = [part.partition("]\n\n")[0] for part in text.split("put [")[1:]]
        for section, expected in zip(sections, (inputs, OUTPUTS[model]), strict=True):
            found = dict(re.findall(r'name: "(\w+)",\s+data_type: (\w+)', section))
            there = {name: kinds.get(kind, kind.removeprefix("TYPE_")) for name, kind in found.items()}
            assert expected.items() <= there.items(), model
    assert set(CLOUD_OUTPUTS) <= OUTPUTS[ENSEMBLE].keys()
