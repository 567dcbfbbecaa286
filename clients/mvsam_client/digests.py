"""Which photographs a scene was encoded from, by the SHA-256 of their files."""

import hashlib
from collections.abc import Sequence

from mvsam_client.errors import InvalidRequestError
from mvsam_client.images import Photograph

_MOST_NAMED = 8


def check_same(named: Sequence[Photograph], digests: Sequence[str]) -> None:
    """Compares photographs with those of a scene.

    Args:
        named: that are said to be the scene's.
        digests: of the scene's photographs, hexadecimal, in their order.

    Raises:
        InvalidRequestError: they are others, or in another order; the message names them.
    """
    found = [hashlib.sha256(photograph.encoded).hexdigest() for photograph in named]
    if found == list(digests):
        return
    if sorted(found) == sorted(digests):
        names = {digest: photograph.name for digest, photograph in zip(found, named, strict=True)}
        order = ", ".join(names[digest] for digest in digests)
        raise InvalidRequestError(f"the scene has these photographs in another order; name them in its own: {order}")
    strangers = [photograph.name for digest, photograph in zip(found, named, strict=True) if digest not in digests]
    missing = [str(view) for view, digest in enumerate(digests) if digest not in found]
    causes = [f"not of this scene: {_listed(strangers)}"] if strangers else []
    causes += [f"not named: view {_listed(missing)} of the scene"] if missing else []
    causes = causes or [f"{len(named)} photographs are named, and the scene has {len(digests)}"]
    raise InvalidRequestError(
        f"these are other photographs than the scene was encoded from ({'; '.join(causes)}); name the same, in the "
        "same order"
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
