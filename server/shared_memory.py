"""Room in shared memory: looked at before a start, and what clients are told where it has run out."""

import logging
import shutil
import stat
from pathlib import Path

import grpc

from mvsam.runtime.shared_memory import FULL, REMEDY, SHARED_MEMORY, TO_CLIENTS, TO_OPERATORS
from server.doorman import Refused
from server.runtime import UnsuitableEnvironmentError

MIB = 1 << 20
OF_A_MODEL = MIB  # at least, by Triton's Python backend
LEAST = 256 * MIB  # of the whole: the demo's server alone takes 140 MiB

logger = logging.getLogger(__name__)


def check_room(repository: Path) -> None:
    """Looks whether a repository's models can be served; logs where they can, but not for long.

    Raises:
        UnsuitableEnvironmentError: they cannot even start.
    """
    room, models = shutil.disk_usage(SHARED_MEMORY), len(list(repository.glob("*/config.pbtxt")))
    if room.free < models * OF_A_MODEL:
        raise UnsuitableEnvironmentError(
            f"{SHARED_MEMORY} has {room.free // MIB} MiB free, and {models} models take 1 MiB each to start; {REMEDY}"
        )
    if room.total < LEAST:
        logger.warning(
            "%s has %d MiB in all, too little for many or large photographs; %s",
            SHARED_MEMORY, room.total // MIB, REMEDY,
        )  # fmt: skip


def refusal_where_full(text: str) -> Refused | None:
    """Returns what a client is told where an error of Triton's says that shared memory is full, and tells the log."""
    if not FULL.search(text):
        return None
    logger.error(TO_OPERATORS)
    return Refused(grpc.StatusCode.UNAVAILABLE, "shared memory", TO_CLIENTS)


def check_private(prefix: str) -> None:
    """Logs where other users of this machine can read the segments whose names begin with a prefix."""
    if any(_mode(segment) & stat.S_IRWXO for segment in SHARED_MEMORY.glob(f"{prefix}*")):
        logger.warning(
            "other users of this machine can read the photographs and masks in %s, for its kernel takes no filter of "
            "system calls (seccomp); give nobody else an account here",
            SHARED_MEMORY,
        )


def _mode(segment: Path) -> int:
    try:
        return segment.stat().st_mode
    except FileNotFoundError:
        return 0
