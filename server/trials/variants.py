"""Assembled repositories that differ in a parameter or a model's code, for trials that need a special one."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from export.repository import CONFIG, VERSION, link_or_copy, with_parameters


def variant(
    repository: Path, target: Path, model: str, parameters: Mapping[str, int | str] | None = None, code: str = ""
) -> Path:
    """A copy of a repository, its graphs linked.

    Args:
        repository: assembled.
        target: of the copy; replaced.
        model: the one that differs.
        parameters: of its config.pbtxt, to be replaced.
        code: appended to its model.py.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(repository, target, copy_function=lambda one, other: link_or_copy(Path(one), Path(other)))
    config, module = target / model / CONFIG, target / model / VERSION / "model.py"
    for path, text in (
        (config, with_parameters(config.read_text(), parameters or {})),
        (module, module.read_text() + code),
    ):
        path.unlink()  # the copy's name only: what it is linked to stays as it is
        path.write_text(text)
    return target
