"""How many CPU cores this process may use: what a number of threads is to follow."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

OWN = Path("/proc/self")


def available_cores(process: Path = OWN) -> int:
    """Returns the cores of the affinity mask, or the CPU quota of the control groups (v1 and v2) where that is less.

    Args:
        process: folder of /proc that names the control groups and where they are mounted.

    Returns:
        At least 1; part of a core counts as one.
    """
    return max(1, math.ceil(min([len(os.sched_getaffinity(0)), *_quotas(process)])))


def _quotas(process: Path) -> Iterator[float]:
    """Cores that each control group allows, from the process' own up to the highest that is to be seen."""
    try:
        mounts = (process / "mountinfo").read_text(errors="replace").splitlines()
        lines = (process / "cgroup").read_text(errors="replace").splitlines()
    except OSError:
        return
    groups = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines if ":" in line)}
    for mount in mounts:
        where, _, what = mount.partition(" - ")
        root, point = where.split()[3:5]
        kind, *_, options = what.split()
        if kind == "cgroup2":
            own = groups.get("")
        elif kind == "cgroup" and "cpu" in options.split(","):
            own = next((path for controllers, path in groups.items() if "cpu" in controllers.split(",")), None)
        else:
            continue
        if own is not None:
            for folder in _upwards(Path(point.replace("\\040", " ")), root, own):
                yield from _quota(folder)


def _upwards(mounted: Path, root: str, own: str) -> Iterator[Path]:
    """The folders of a group and of those that it is in, as far as they are mounted."""
    group = PurePosixPath(own)
    inside = group.is_relative_to(root) and ".." not in group.parts
    folder = mounted / group.relative_to(root) if inside else mounted
    while folder != mounted:
        yield folder
        folder = folder.parent
    yield mounted


def _quota(folder: Path) -> Iterator[float]:
    """Cores that one group allows; nothing where it has no limit of its own."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = map(float, " ".join((folder / name).read_text() for name in names).split())
        except (OSError, ValueError):  # no such file; or "max", which is no number
            continue
        if quota > 0 and period > 0:
            yield quota / period
