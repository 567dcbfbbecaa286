"""File descriptors: as many as the system allows, and always some left for the supervisor and Triton."""

import resource
from dataclasses import replace

from server.limits import EntryLimits

RESERVE = 256  # of the process itself: Triton's connections, logs, the supervisor's looks into /proc
PORTS = 2


def within_descriptors(limits: EntryLimits) -> EntryLimits:
    """Raises the process's own limit as far as the system lets it, and fits the connections into what there is.

    Args:
        limits: that an operator wants.

    Returns:
        The same, with fewer connections where they would use up the descriptors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = PORTS * limits.connections + RESERVE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return replace(limits, connections=min(limits.connections, max(1, (soft - RESERVE) // PORTS)))
