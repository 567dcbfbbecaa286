"""`python -m mvsam.training hold-out`: set photographs in SA-1B's format aside, in blocks of neighbours.

Neighbouring names are often neighbouring in time or place, so single photographs drawn at random would be nearly in the
training set. One block of consecutive names in so many is set aside.
"""

import argparse
import io
import logging
import tarfile
from collections.abc import Iterable
from pathlib import Path

from mvsam.training.sa1b_shards import Entry, find_shards, shard_entries

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the subcommand takes."""
    parser.add_argument("sources", type=Path, nargs="+", help="tar shards or folders in SA-1B's format")
    parser.add_argument("--output", type=Path, required=True, help="folder for train.tar, validate.tar and test.tar")
    parser.add_argument("--block", type=int, default=10, help="consecutive photographs that stay together (10)")
    parser.add_argument("--every", type=int, default=11, help="one block of so many is set aside (11)")


def run(arguments: argparse.Namespace) -> None:
    """Writes the three shards.

    Blocks set aside go to validate.tar and test.tar in turns: choices are made on one, figures reported on the other.

    Raises:
        ValueError: sources without photographs, or numbers below 1.
    """
    if arguments.block < 1 or arguments.every < 2:
        raise ValueError("--block takes at least 1 and --every at least 2")
    parts: dict[str, list[Entry]] = {"train": [], "validate": [], "test": []}
    aside = 0
    for shard in find_shards(arguments.sources):
        entries = [entry for entry in shard_entries(shard) if entry.photograph and entry.annotations]
        for start in range(0, len(entries), arguments.block):
            block = entries[start : start + arguments.block]
            if start // arguments.block % arguments.every == arguments.every // 2:
                parts["validate" if aside % 2 == 0 else "test"] += block
                aside += 1
            else:
                parts["train"] += block
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, entries in parts.items():
        write_shard(arguments.output / f"{name}.tar", entries)
        logger.info("%s: %d photographs", arguments.output / f"{name}.tar", len(entries))


def write_shard(path: Path, entries: Iterable[Entry]) -> None:
    """Writes entries to a tar file, under a temporary name first; the same entries give the same bytes.

    Raises:
        OSError: a source is gone, or there is no room.
    """
    temporary = path.with_suffix(".tmp")
    with tarfile.open(temporary, "w") as archive:
        for entry in entries:
            for extent, ending in ((entry.photograph, ".jpg"), (entry.annotations, ".json")):
                assert extent is not None
                data = extent.read()
                member = tarfile.TarInfo(entry.key.replace("/", "_") + ending)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    temporary.replace(path)
