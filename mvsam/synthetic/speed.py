"""How many views a second the generator renders."""

import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch

from mvsam.synthetic.scene import Split, render_batch

GPU_SCENES = 32  # at once; on a CPU one after another


def views_per_second(
    seeds: list[int], split: Split, *, views: int, height: int, width: int, device: str, workers: int
) -> float:
    """Rate over all workers, each a process with one thread, after a warm-up."""
    job = partial(_seconds, split=split, views=views, height=height, width=width, device=device)
    if workers == 1:
        seconds = job(seeds)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            seconds = max(pool.map(job, [seeds[worker::workers] for worker in range(workers)]))
    return len(seeds) * views / seconds


def _seconds(seeds: list[int], *, split: Split, views: int, height: int, width: int, device: str) -> float:
    together = 1 if device == "cpu" else GPU_SCENES
    chunks = [seeds[i : i + together] for i in range(0, len(seeds), together)]
    started = time.monotonic()
    for index, chunk in enumerate([*chunks[:1], *chunks]):
        if index == 1:
            started = time.monotonic()
        render_batch(chunk, split, views=views, height=height, width=width, device=device)
        if device != "cpu":
            torch.cuda.synchronize()
    return time.monotonic() - started
