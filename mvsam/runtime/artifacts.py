"""Exported graphs on disk: each folder's manifest names the files by hash, and nothing else is ever loaded."""

import hashlib
import json
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
CHUNK = 1 << 24


class ArtifactError(RuntimeError):
    """An exported file is missing, was changed, or is not named by its manifest."""


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Writes under a temporary name, then renames; makes the folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Likewise."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of one graph's folder.

    Raises:
        ArtifactError: there is none, or it is not JSON.
    """
    path = folder / MANIFEST
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(f"{folder} has no {MANIFEST}: export the graphs again with `make export`") from None
    except json.JSONDecodeError as error:
        raise ArtifactError(f"{path} is not JSON ({error}): export the graphs again with `make export`") from None


def verified(folder: Path) -> dict[str, Any]:
    """The manifest of a folder whose every other file is named in it with the hash that the file has.

    Raises:
        ArtifactError: a file is missing, changed, unnamed or a symbolic link.
    """
    manifest = read_manifest(folder)
    named: dict[str, str] = manifest["files"]
    remedy = "export the graphs again with `make export`"
    for path in folder.iterdir():
        if path.name != MANIFEST and path.name not in named:
            raise ArtifactError(f"{path} is not named by {MANIFEST}: remove it, or {remedy}")
    for name, digest in named.items():
        path = folder / name
        if path.parent != folder or path.is_symlink() or not path.is_file():
            raise ArtifactError(f"{path}, named by {MANIFEST}, is not a plain file in its folder: {remedy}")
        if sha256(path) != digest:
            raise ArtifactError(f"{path} is not the file that {MANIFEST} names (its hash differs): {remedy}")
    return manifest
