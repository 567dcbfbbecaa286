"""SA-1B as training examples: streamed, shuffled, shared out, and never stopped by what is damaged."""

import json
import random
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from webdataset.filters import shuffle
from webdataset.pipeline import DataPipeline
from webdataset.shardlists import SimpleShardList

from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.headers import read_header
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.limits import Limits
from mvsam.training.example import Example, Part
from mvsam.training.in_order import in_order
from mvsam.training.run_lengths import paint, run_lengths
from mvsam.training.sa1b_shards import Entry, find_shards, shard_entries
from mvsam.training.skipped import Cause, Skipped

_SHUFFLED = 20_000  # entries that wait to be drawn from, nearly two shards: they hold no pixels


@dataclass(frozen=True)
class Selection:
    """Which masks of a photograph are used.

    Attributes:
        least_area: smallest share of the photograph. The default is what postprocessing drops as a sprinkle.
        most: masks a photograph, drawn anew each epoch; SA-1B has about 100, of 3.4 MB each once decoded.
    """

    least_area: float = 0.001
    most: int = 16


@dataclass(frozen=True)
class Sa1b:
    """SA-1B, or anything in its format.

    Every pair of jpg and json, and every damaged or missing member, has a place in the epoch's order, which depends on
    nothing but the shards, `seed` and the epoch. So any number of consumers share an epoch exactly, each place is used
    or counted by one of them, and a run resumes where it was.

    Attributes:
        shards: tar files and folders (see `open`).
        selection: which masks.
        seed: of the order and of the masks drawn.
        part: whose places these are.
        skipped: what this part passed over; counted when its turn comes.
        threads: photographs decoded at a time, at most three times as many in advance.
        max_pixels: of a photograph.
    """

    shards: tuple[Path, ...]
    selection: Selection = field(default_factory=Selection)
    seed: int = 0
    part: Part = field(default_factory=Part)
    skipped: Skipped = field(default_factory=Skipped)
    threads: int = 2
    max_pixels: int = Limits.max_image_pixels

    @classmethod
    def open(cls, *sources: Path, **options: Any) -> "Sa1b":
        """All shards under paths to tar files, folders of tar files, or folders of jpg and json.

        Raises:
            ValueError: a path with none of these.
        """
        return cls(tuple(find_shards(sources)), **options)

    def without(self, other: "Sa1b") -> "Sa1b":
        """These shards but those of another, so that what is validated on is not trained on.

        Raises:
            ValueError: none is left.
        """
        excluded = {shard.resolve() for shard in other.shards}
        left = tuple(shard for shard in self.shards if shard.resolve() not in excluded)
        if not left:
            raise ValueError("every shard is held out; hold out fewer, or give others to train on")
        return replace(self, shards=left)

    @property
    def lacks_geometry(self) -> bool:
        """Whether pointmaps are to be estimated."""
        return True

    def count_photographs(self) -> int:
        """How many the shards hold; reads the headers of all of them."""
        return sum(entry.photograph is not None for shard in self.shards for entry in shard_entries(shard))

    def examples(self, epoch: int = 0, start: int = 0) -> Generator[Example, None, None]:
        """This part's examples of an epoch, from the place `start` on."""
        dice = random.Random(f"{self.seed} {epoch}")
        yield from DataPipeline(
            SimpleShardList([str(shard) for shard in self.shards]),
            shuffle(len(self.shards), initial=len(self.shards), rng=dice),
            _entries,
            shuffle(_SHUFFLED, initial=_SHUFFLED, rng=dice),
            lambda entries: self.part.of(entries, start),
            lambda placed: self._loaded(placed, epoch),
        )

    def _loaded(self, placed: Iterable[tuple[int, Entry]], epoch: int) -> Iterator[Example]:
        loaded = in_order(lambda item: self._load(*item, epoch), placed, self.threads)
        for (_, entry), (example, causes) in loaded:
            for cause in causes:
                self.skipped.add(cause, entry.key)
            if example is not None:
                yield example

    def _load(self, place: int, entry: Entry, epoch: int) -> tuple[Example | None, list[Cause]]:
        """The example, if there is one, and what was passed over."""
        if entry.photograph is None:
            return None, [Cause.BROKEN_TAR if entry.annotations is None else Cause.NO_PHOTOGRAPH]
        if entry.annotations is None:
            return None, [Cause.NO_ANNOTATIONS]
        try:
            encoded, annotations = entry.photograph.read(), _annotations(entry.annotations.read())
            header = read_header(encoded, entry.key)
            if header.stored_width * header.stored_height > self.max_pixels:
                return None, [Cause.TOO_LARGE]
            random.Random(f"{self.seed} {epoch} {entry.key}").shuffle(annotations)
            masks, causes = _masks(annotations, header.size, self.selection)
            if not masks:
                return None, [*causes, Cause.NO_MASK]
            photograph = decode_photograph(encoded, entry.key)
        except OSError:
            return None, [Cause.UNREADABLE]
        except RequestError:
            return None, [Cause.BAD_PHOTOGRAPH]
        except (ValueError, LookupError, TypeError, RecursionError):  # of the json alone
            return None, [Cause.BAD_ANNOTATIONS]
        return Example(entry.key, [photograph], np.stack(masks), place=place), causes


def _entries(shards: Iterable[dict[str, str]]) -> Iterator[Entry]:
    for shard in shards:
        yield from shard_entries(Path(shard["url"]))


def _annotations(data: bytes) -> list[Any]:
    return list(json.loads(data)["annotations"])


def _masks(
    annotations: Iterable[Any], size: tuple[int, int], selection: Selection
) -> tuple[list[np.ndarray], list[Cause]]:
    """The first masks, bool [h, w], that can be used, and why others cannot."""
    masks: list[np.ndarray] = []
    causes: list[Cause] = []
    height, width = size
    for annotation in annotations:
        if len(masks) == selection.most:
            break
        try:
            segmentation = annotation["segmentation"]
            if tuple(segmentation["size"]) != size:
                causes.append(Cause.MASK_SIZE)
                continue
            lengths = run_lengths(segmentation["counts"].encode("ascii"), height * width)
        except (ValueError, LookupError, TypeError, AttributeError):
            causes.append(Cause.BAD_MASK)
            continue
        area = int(lengths[1::2].sum())
        if area and area >= selection.least_area * height * width:
            masks.append(paint(lengths, size))
    return masks, causes
