"""Files of ScanNet++'s toolkit that say which object each pixel shows."""

from pathlib import Path
from typing import Any

import numpy as np

from mvsam.evaluation.benchmarks.scenes import DatasetError
from mvsam.pipeline.limits import Limits

# Where the files come from, as the end of "get it from ..".
TOOLKIT = "https://github.com/scannetpp/scannetpp (semantic.prep.semantics_2d with save_objid_gt_2d: true)"
_NPY = b"\x93NUMPY"
_MOST_BYTES = 16 * Limits.max_image_pixels  # int64, twice that where a pickle escapes every other byte


def read_ids(path: Path) -> np.ndarray:
    """Object ids of one view.

    Args:
        path: written by `torch.save`, a tensor or a NumPy array; or a `.npy` file, whatever its name.

    Returns:
        Whole numbers [h, w]; 0 and less are pixels without an object.

    Raises:
        DatasetError: the file is missing, damaged, or holds anything else.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing; get it from {TOOLKIT}")
    if path.stat().st_size > _MOST_BYTES:
        raise DatasetError(
            f"{path} is larger than the ids of {Limits.max_image_pixels} pixels; get it again from {TOOLKIT}"
        )
    try:
        found = _read_npy(path) if _is_npy(path) else _read_torch(path)
    except Exception as error:  # a damaged file raises whatever the reader stumbles on
        raise DatasetError(
            f"{path} is damaged, or no plain array of object ids ({type(error).__name__}); get it again from {TOOLKIT}"
        ) from None
    if not isinstance(found, np.ndarray):
        raise DatasetError(
            f"{path} holds a {type(found).__name__} instead of an array of object ids; get it again from {TOOLKIT}"
        )
    if found.dtype.kind not in "iu" or found.ndim != 2 or not 0 < found.size <= Limits.max_image_pixels:
        raise DatasetError(
            f"{path} holds {found.dtype} {list(found.shape)} instead of whole numbers [height, width]; "
            f"get it again from {TOOLKIT}"
        )
    return found


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_NPY)) == _NPY


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a header that lies costs no memory


def _read_torch(path: Path) -> Any:
    import torch  # here, since the rest of the benchmarks does without it

    with torch.serialization.safe_globals(_numpy_globals()):
        found = torch.load(path, map_location="cpu", weights_only=True)
    return found.numpy() if isinstance(found, torch.Tensor) else found


def _numpy_globals() -> list[Any]:
    """What a pickled array of whole numbers is rebuilt from, and nothing else.

    The toolkit saves NumPy arrays, which `weights_only` refuses by itself. These few only make arrays and types: none
    calls what a file names. NumPy 2 has moved the first of them; its files are read by NumPy 1 as well.
    """
    rebuild: Any = np.empty(0).__reduce__()[0]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    types = {type(np.dtype(kind)) for kind in "bBhHiIlLqQ"}
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *types]
