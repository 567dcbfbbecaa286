"""The photographs of a COLMAP project, in the order of its model."""

import struct
from pathlib import Path

from mvsam_client.errors import InvalidRequestError

_MODELS = ("sparse/0", "sparse", "colmap/sparse/0", ".")
_POSE = struct.Struct("<I7dI")  # id, rotation and translation, camera
_COUNT = struct.Struct("<Q")
_POINT_BYTES = 24  # x and y, 8 bytes each, and the id of the point in space


def model_of(project: Path) -> Path | None:
    """The file that lists a project's photographs; None where a folder is no project."""
    for folder in _MODELS:
        for name in ("images.bin", "images.txt"):
            if (path := project / folder / name).is_file():
                return path
    return None


def files(project: Path, model: Path) -> list[Path]:
    """The photographs' files, in the order of their ids in the model.

    Raises:
        InvalidRequestError: the model cannot be read, names none, or one that is not there.
    """
    try:
        names = _of_text(model.read_text()) if model.suffix == ".txt" else _of_binary(model.read_bytes())
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise InvalidRequestError(f"{model}: no list of COLMAP's images ({error}); export the model again") from None
    if not names:
        raise InvalidRequestError(f"{model}: it lists no photographs; give a project that COLMAP has reconstructed")
    folder = project / "images" if (project / "images").is_dir() else project
    found = [folder / names[key] for key in sorted(names)]
    for path in found:
        if not path.is_file():
            raise InvalidRequestError(f"{path}: the COLMAP model {model} names this photograph, and it is not there")
    return found


def _of_binary(content: bytes) -> dict[int, str]:
    (count,) = _COUNT.unpack_from(content)
    place = _COUNT.size
    names: dict[int, str] = {}
    for _ in range(count):
        key = _POSE.unpack_from(content, place)[0]
        end = content.index(b"\0", place + _POSE.size)
        names[key] = content[place + _POSE.size : end].decode()
        (points,) = _COUNT.unpack_from(content, end + 1)
        place = end + 1 + _COUNT.size + _POINT_BYTES * points
    return names


def _of_text(content: str) -> dict[int, str]:
    """Two lines an image: its pose, which ends with the name, and its points, perhaps none."""
    lines = [line for line in content.splitlines() if not line.startswith("#")]
    names: dict[int, str] = {}
    for line in lines[::2]:
        if not line.strip():
            continue
        parts = line.split(maxsplit=9)
        names[int(parts[0])] = parts[9].strip()
    return names
