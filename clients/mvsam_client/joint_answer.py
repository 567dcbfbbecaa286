"""Answers about objects that were asked for one by one, as one answer about all of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import numpy as np

from mvsam_client.errors import ServerError
from mvsam_client.result import ViewMasks


def by_view(answers: Sequence[Iterator[ViewMasks]]) -> Iterator[tuple[ViewMasks, ...]]:
    """Yields the parts of all answers about one view, as soon as the last of them has come.

    Raises:
        ServerError: an answer left out a view.
    """
    waiting: defaultdict[int, dict[int, ViewMasks]] = defaultdict(dict)
    for turn in zip_longest(*answers):
        for place, part in enumerate(turn):
            if part is None:
                continue
            waiting[part.view][place] = part
            if len(waiting[part.view]) == len(answers):
                found = waiting.pop(part.view)
                yield tuple(found[each] for each in range(len(answers)))
    if waiting:
        raise ServerError("the server left out a view; update the older of client and server")


def joined(parts: Sequence[ViewMasks]) -> ViewMasks:
    """Returns the masks of one view, those of each answer behind those of the one before.

    `answer` is empty where there are several: no one answer on the server is about all of the objects.
    """
    if len(parts) == 1:
        return parts[0]
    return ViewMasks(
        parts[0].view,
        list(chain.from_iterable(part.masks for part in parts)),
        list(chain.from_iterable(part.rles for part in parts)),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.areas for part in parts]),
        "",
    )
