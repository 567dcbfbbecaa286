"""The photographs of a COLMAP project, in the order of its model."""

from pathlib import Path

from mvsam_client.colmap_images import read_binary_images, read_text_images
from mvsam_client.errors import InvalidRequestError

_MODELS = ("sparse/0", "sparse", "colmap/sparse/0", ".")


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
        images = (read_text_images if model.suffix == ".txt" else read_binary_images)(model.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{model}: no list of COLMAP's images ({error}); export the model again") from None
    if not images:
        raise InvalidRequestError(f"{model}: it lists no photographs; give a project that COLMAP has reconstructed")
    folder = project / "images" if (project / "images").is_dir() else project
    found = [folder / image.name for image in sorted(images, key=lambda image: image.number)]
    for path in found:
        if not path.is_file():
            remedy = "copy it there" if path.name.isascii() else "name the file by the same bytes as the model does"
            raise InvalidRequestError(
                f"{path}: the COLMAP model {model} names this photograph, and it is not there; {remedy}"
            )
    return found
