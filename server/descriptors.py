"""File descriptors: as many as the system allows, and always some left for the supervisor and Triton."""

import resource
from dataclasses import replace

from server.limits import EntryLimits

RESERVE = 256  # of the process itself: Triton's connections, logs, the supervisor's looks into /proc
PORTS = 2
PLENTY = 2**16  # that are asked for: connections whose TLS is not agreed upon yet are not counted


def within_descriptors(limits: EntryLimits) -> EntryLimits:
    """Raises the process's own limit as far as the system lets it, and fits the connections into what there is.

    Args:
        limits: that an operator wants.

    Returns:
        The same, with fewer connections where they would use up the descriptors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(PLENTY, PORTS * limits.connections + RESERVE)
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return replace(limits, connections=min(limits.connections, max(1, (soft - RESERVE) // PORTS)))
