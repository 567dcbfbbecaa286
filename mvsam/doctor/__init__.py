"""Checks of the machine that serves, for `mvsam doctor`, which finds them by the entry point group `mvsam.doctor`.

They import no torch: a machine with a broken one must be told so.
"""

from mvsam.doctor import engines, gpu, graphs, packages, repository, shared_memory, storage, weights
from mvsam_client.doctor import Check

CHECKS = (
    Check("packages", "the Python that serves, and what is installed in it", packages.examine),
    Check("weights", "there, whole, and what they were at first use", weights.examine),
    Check("graphs", "what their manifests name", graphs.examine),
    Check("engines", "accepted, and built for this GPU and TensorRT", engines.examine),
    Check("repository", "whole, and fit for this machine", repository.examine),
    Check("gpu", "its driver, and the packages that use it", gpu.examine),
    Check("memory", "shared memory: its size, and what dead servers left in it", shared_memory.examine),
    Check("storage", "room on the disk, and folders that can be written", storage.examine),
)
