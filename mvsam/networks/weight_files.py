"""What a file of weights is, before any of its tensors is read."""

import json
import zipfile
from pathlib import Path

SAFETENSORS = ".safetensors"
HEADER_LIMIT = 100_000_000  # bytes, as the safetensors library has it
LOOKED_AT = 512  # bytes, to tell text from weights
LFS = b"version https://git-lfs.github.com/spec/"
ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # how files of PyTorch begin, of now and of old


class CheckpointError(ValueError):
    """A weights file is missing, is not the file it was, or does not fit the network; names file, key or shape."""


def fault_of(path: Path) -> str:
    """Returns what a file is instead of whole weights, as in "is empty"; "" where nothing is wrong to be seen.

    Args:
        path: ending in .safetensors; else a file of PyTorch's.
    """
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    if not start:
        return "is empty"
    if start.startswith(LFS):
        return "is a Git LFS pointer, not the file itself (`git lfs pull` brings that)"
    if start.lstrip().startswith(b"<"):
        return "is a web page, not the file itself"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "is text, not the file itself"
    return _fault_of_safetensors(path, start) if path.suffix == SAFETENSORS else _fault_of_pickle(path, start)


def _fault_of_safetensors(path: Path, start: bytes) -> str:
    if start.startswith(ZIP):
        return "is no safetensors file but one of PyTorch"
    size, length = path.stat().st_size, int.from_bytes(start[:8], "little")
    if size < 9 or start[8:9] != b"{" or not 0 < length <= HEADER_LIMIT:
        return "is no safetensors file"
    if 8 + length > size:
        return f"is cut short: {size:,} bytes do not even hold its header"
    with path.open("rb") as file:
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            end = max((each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return "is no safetensors file: its header cannot be read"
    whole = 8 + length + end
    if size < whole:
        return f"is cut short: it has {size:,} bytes of {whole:,}"
    return "" if size == whole else f"has {size - whole:,} bytes too many"


def _fault_of_pickle(path: Path, start: bytes) -> str:
    if start.startswith(ZIP):  # whose table of contents is at the end
        return "" if zipfile.is_zipfile(path) else "is cut short: it has no end"
    return "" if start.startswith(PICKLE) else "is no PyTorch file"
