"""Runs Triton as its child, and ends it with whoever started both, however that ends: SIGKILL cannot be caught.

The launcher starts this file as a process of its own (`python -I -S watchdog.py WORKSPACE`) before it makes anything,
and holds the other end of its standard input, which the kernel closes for those who do not get to. Over it comes what
to run, a line of JSON: `command`, `environment` and `log`. Standard output tells Triton's process number, and by its
end that Triton has ended.
"""

import contextlib
import ctypes
import json
import os
import platform
import select
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
INPUT, OUTPUT, ERRORS = 0, 1, 2

# Of Linux: options of prctl; of seccomp its operation, its flag (without which older kernels slow a process down), and
# what a filter returns; of each kind of machine its number for filters, and its calls seccomp and fchmod.
SET_DEATH_SIGNAL, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 36, 38
SET_FILTER, ALLOW_SPECULATION = 1, 4
DO_NOTHING, ALLOW = 0x00050000, 0x7FFF0000
MACHINES = {"x86_64": (0xC000003E, 317, 91), "aarch64": (0xC00000B7, 277, 52)}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # of a filter's program: loads a word of the call at an offset
CALL, MACHINE = 0, 4


def main(workspace: Path) -> None:
    """Runs what it is told to until standard input ends, then ends that and removes what it has left."""
    told = sys.stdin.buffer.readline()
    if told.endswith(b"\n"):
        _run(workspace, **json.loads(told))
        os.close(OUTPUT)
        select.select([INPUT], [], [])
    remove(workspace)


def _run(workspace: Path, command: list[str], environment: dict[str, str], log: str) -> None:
    """Returns when the program has ended, or standard input has; nothing of it is left running."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), ERRORS)
    prctl = ctypes.CDLL(None).prctl
    prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # a dead Triton's children become ours
    keep_permissions()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda received, frame: None)  # without a handler nothing is told
    child = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=ERRORS,
        # Away from the folder we were started in, whose modules the stub would import before installed ones.
        cwd=workspace,
        process_group=0,
        preexec_fn=lambda: prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0),  # should this process be killed
    ).pid
    with contextlib.suppress(BrokenPipeError):  # the launcher may be gone already
        os.write(OUTPUT, f"{child}\n".encode())
    while not _has_ended(child):
        ready, _, _ = select.select([INPUT, woken], [], [])
        if INPUT in ready:
            break
        if signal.SIGTERM in os.read(woken, 1 << 10):
            os.kill(child, signal.SIGTERM)
    _end(child)


def keep_permissions() -> None:
    """Makes fchmod do nothing in this process and its children.

    What they make has the permissions that the umask leaves, but for shared memory: the library through which Triton
    makes it (Boost.Interprocess) lets everybody read it, by fchmod. On other machines, or where the kernel takes no
    filter, that stays so.
    """
    if platform.machine() not in MACHINES:
        return
    machine, seccomp, fchmod = MACHINES[platform.machine()]
    steps = (
        (LOAD, 0, 0, MACHINE),
        (JUMP_IF_EQUAL, 0, 3, machine),  # else 3 steps on
        (LOAD, 0, 0, CALL),
        (JUMP_IF_EQUAL, 0, 1, fchmod),
        (RETURN, 0, 0, DO_NOTHING),
        (RETURN, 0, 0, ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    linux = ctypes.CDLL(None)
    linux.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    linux.syscall(seccomp, SET_FILTER, ALLOW_SPECULATION, program)


def remove(workspace: Path) -> None:
    """Removes a server's workspace and its shared memory, whose names begin with the workspace's."""
    for segment in SHARED_MEMORY.glob(f"{workspace.name}_*"):
        segment.unlink(missing_ok=True)
    shutil.rmtree(workspace, ignore_errors=True)


def _has_ended(child: int) -> bool:
    # Not reaped: while it is a zombie its group's number stays ours to signal.
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: int) -> None:
    """Kills the group that the child leads, and returns when nothing of it is left."""
    os.killpg(child, signal.SIGKILL)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
