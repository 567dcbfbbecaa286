"""How many cores a process takes: no more than its container has."""

import os
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mvsam.cores import available_cores
from server.trials.running import PROJECT

CORES = 64  # of the machine, as the affinity mask has them


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(CORES)))


def process(folder: Path, groups: str, *mounts: str) -> Path:
    """What /proc tells of a process; mounts as ROOT, POINT below the folder, KIND and OPTIONS."""
    own = folder / "proc"
    own.mkdir()
    (own / "cgroup").write_text(groups)
    lines = ["22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw"]
    for number, mount in enumerate(mounts):
        root, point, kind, options = mount.split()
        lines.append(
            f"{30 + number} 22 0:{30 + number} {root} {folder}/{point} rw,relatime shared:9 - {kind} {kind} {options}"
        )
    (own / "mountinfo").write_text("\n".join(lines) + "\n")
    return own


def files(folder: Path, **content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        (folder / name.replace("cpu_", "cpu.", 1)).write_text(text + "\n")


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("1000 100000", 1), ("max 100000", CORES)],
)
def test_the_quota_of_a_container_version_2(tmp_path: Path, quota: str, cores: int):
    files(tmp_path / "fs", cpu_max=quota)
    assert available_cores(process(tmp_path, "0::/\n", "/ fs cgroup2 rw")) == cores


@pytest.mark.parametrize(("quota", "cores"), [("400000", 4), ("-1", CORES), ("9900000", CORES), ("250000", 3)])
@pytest.mark.parametrize("root", ["/", "/docker/0123"])
def test_the_quota_of_a_container_version_1(tmp_path: Path, quota: str, cores: int, root: str):
    """With a namespace of its own, or seeing the host's names."""
    files(tmp_path / "cpu,cpuacct", cpu_cfs_quota_us=quota, cpu_cfs_period_us="100000")
    groups = f"12:memory:{root}\n4:cpu,cpuacct:{root}\n1:name=systemd:{root}\n0::/system.slice\n"
    mounts = (f"{root} memory cgroup rw,memory", f"{root} cpu,cpuacct cgroup rw,cpu,cpuacct", "/ unified cgroup2 rw")
    assert available_cores(process(tmp_path, groups, *mounts)) == cores


@pytest.mark.parametrize(("outer", "inner", "cores"), [("max", "300000", 3), ("200000", "max", 2), ("200000", "8", 1)])
def test_the_least_of_nested_quotas(tmp_path: Path, outer: str, inner: str, cores: int):
    files(tmp_path / "fs/system.slice", cpu_max=f"{outer} 100000")
    files(tmp_path / "fs/system.slice/mvsam.service", cpu_max=f"{inner} 100000")
    groups = "0::/system.slice/mvsam.service\n"
    assert available_cores(process(tmp_path, groups, "/ fs cgroup2 rw")) == cores


@pytest.mark.parametrize("groups", ["0::/../elsewhere\n", "0::/elsewhere\n", "", "nonsense\n"])
def test_a_group_that_is_not_to_be_seen(tmp_path: Path, groups: str):
    files(tmp_path / "fs", cpu_max="200000 100000")
    cores = available_cores(process(tmp_path, groups, "/here fs cgroup2 rw"))
    assert cores == (2 if groups.startswith("0") else CORES)


def test_without_proc_the_affinity_mask_decides(tmp_path: Path):
    assert available_cores(tmp_path) == CORES
    assert 1 <= available_cores() <= CORES


def test_onnx_runtime_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mvsam.runtime import onnx as sessions

    monkeypatch.setattr(sessions, "available_cores", lambda: 3)
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "graph", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "m.onnx")
    for asked, threads in ((None, 3), (1, 1)):
        session = sessions.cpu_session(tmp_path / "m.onnx", asked)
        assert session.get_session_options().intra_op_num_threads == threads
        assert np.array_equal(np.asarray(session.run(None, {"x": np.ones(2, np.float32)})[0]), [-1, -1])


def test_pytorch_takes_no_more(monkeypatch: pytest.MonkeyPatch):
    import torch

    from mvsam.networks import threads

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for cores, taken in ((3, 2), (1, 1)):  # never more than PyTorch would take, as OMP_NUM_THREADS may have it
            monkeypatch.setattr(threads, "available_cores", lambda cores=cores: cores)
            threads.use_available_cores()
            assert torch.get_num_threads() == taken
    finally:
        torch.set_num_threads(before)


def test_nothing_else_counts_cores():
    """What does would take a host's cores in a container."""
    counts = re.compile(r"cpu_count|sched_getaffinity|nproc\b|ThreadPoolExecutor\(\)|ProcessPoolExecutor\(\)")
    folders = ("mvsam", "export", "calibration", "server", "model_repository", "clients")
    found = {
        str(path.relative_to(PROJECT))
        for folder in folders
        for path in (PROJECT / folder).rglob("*.py")
        if counts.search(path.read_text())
    }
    assert found == {"mvsam/cores.py"}
