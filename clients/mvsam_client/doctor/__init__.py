"""`mvsam doctor`: checks of the server and of this machine, each of which says what it means and what to do.

A distribution adds checks by an entry point of the group `mvsam.doctor`, whose object is a sequence of `Check`.
"""

from mvsam_client.doctor.findings import Check, Finding, Level, ok, problem, warning
from mvsam_client.doctor.machine import Machine, Room

__all__ = ["Check", "Finding", "Level", "Machine", "Room", "ok", "problem", "warning"]
