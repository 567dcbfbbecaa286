"""PyTorch's threads on a CPU."""

import torch

from mvsam.cores import available_cores


def use_available_cores() -> None:
    """Lets PyTorch take no more threads than there are cores for this process; where a command begins."""
    torch.set_num_threads(min(torch.get_num_threads(), available_cores()))
