"""SPIn-NeRF's multi-view segmentation data (Mirzaei et al., 2023): exact masks of one object in many photographs.

Multiview-Segmentation-Data (https://spinnerf3d.github.io/) holds, with a folder for each scene such as `fern (llff)`::

    <id>.png                             the mask; inside is what is not black. Its size differs from the photograph's.
    <id>_cutout.png, <id>_pseudo.png     pictures of it, which are not read

Photographs are not among them. They are looked for as `<scene>/images`, or a folder of smaller copies (`images_2`,
`images_4`, `images_8`, in that order), where <scene> is the name without the part in brackets, or the whole name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mvsam.evaluation.benchmarks.folders import (
    NUMBERED,
    find_photographs,
    mask_of,
    naming,
    photograph,
    read_mask,
    upright_size,
    visible_files,
)
from mvsam.evaluation.benchmarks.frames import evenly
from mvsam.evaluation.benchmarks.prompting import SEED, clicks_in, dice
from mvsam.evaluation.benchmarks.scenes import Click, DatasetError, Scene, Target

SOURCE = "https://spinnerf3d.github.io/"
FOLDERS = ("images", "images_2", "images_4", "images_8")  # the preferred first: most detail, and the names are kept
POSITIVES, NEGATIVES = 8, 2
MOST = 100  # views
_DRIVE = "https://drive.google.com"
_LLFF = f"the NeRF authors' nerf_llff_data, {_DRIVE}/drive/folders/128yBriW1IG_3NJ5Rp7APSTZsJqdJdfc1"
_SPLIT = re.compile(r"^[01]_")  # before the names of masks, by whether a photograph was trained on


@dataclass(frozen=True)
class _Known:
    """Where one scene's files are.

    Attributes:
        masks: their folder.
        photographs: names of the folder that holds FOLDERS.
        origin: where to get the photographs.
        views: how many photographs masks are numbered by: image007.png is that of the eighth, by name. Masks are
            missing, photographs must not be. None where masks are named like photographs, or the count is not known.
        split: whether names of masks may have a prefix that the photograph's has not.
    """

    masks: str
    photographs: tuple[str, ...]
    origin: str
    views: int | None = None
    split: bool = False


def _llff(scene: str, views: int | None = None) -> _Known:
    return _Known(f"{scene} (llff)", (scene, f"{scene} (llff)"), _LLFF, views)


_KNOWN = {
    "orchids": _llff("orchids", 25),
    "leaves": _llff("leaves", 26),
    "fern": _llff("fern", 20),
    "room": _llff("room"),
    "horns": _llff("horns"),
    "fortress": _llff("fortress", 42),
    "fork": _Known(
        "fork (nerf_supervision)",
        ("fork", "fork (nerf_supervision)"),
        f"NeRF-Supervision, {_DRIVE}/drive/folders/11uBvHlLfe1kNPUGlsah_OwyRoXK9OOkt",
    ),
    "pinecone": _Known(
        "pinecone (nerf_real_360)",
        ("pinecone", "pinecone (nerf_real_360)"),
        "the NeRF authors' nerf_real_360, https://www.matthewtancik.com/nerf",
    ),
    "truck": _Known(
        "Truck (Tanks & Temples)",
        ("truck", "Truck", "Truck (Tanks & Temples)"),
        "Tanks and Temples, https://www.tanksandtemples.org/download/",
        split=True,
    ),
    "lego": _Known(
        "lego_real_night_radial",
        ("lego", "lego_real_night_radial"),
        f"{_DRIVE}/file/d/1PG-KllCv4vSRPO7n5lpBjyTjlUyT8Nag/view",
        split=True,
    ),
}


@dataclass(frozen=True)
class SpinNerf:
    """The data set: 8 clicks inside and 2 outside the first mask, all other views with a mask scored.

    Attributes:
        EXCLUDED: scenes that are left out unless they are asked for. The paper did not find the photographs of
            pinecone any more (Appendix A).
        masks: holds the scenes' folders of masks.
        images: holds the scenes' photographs, all of which are views, or 100: then those without a mask are thinned.
        reference_scored: whether the view with the clicks counts too, as in SPIn-NeRF's own figures.
        seed: of the clicks.
        only: scenes to list; None for all that are not excluded. Other names than the known ones are those of further
            LLFF scenes, with masks in `<name> (llff)`.
    """

    masks: Path
    images: Path | None
    reference_scored: bool = False
    seed: int = SEED
    only: Sequence[str] | None = None

    name = "SPIn-NeRF"
    EXCLUDED = ("pinecone",)

    def scenes(self) -> Sequence[str]:
        """See `Dataset`; whether a scene is complete is found out when it is loaded."""
        if not self.masks.is_dir():
            raise DatasetError(f"{self.masks} is missing; get it from {SOURCE}")
        listed = [scene for scene in _KNOWN if scene not in self.EXCLUDED] if self.only is None else list(self.only)
        if self.images is None:
            origins = "; ".join(dict.fromkeys(_known(scene).origin for scene in listed))
            raise DatasetError(
                f"{self.masks} holds no photographs, since its cut-outs show only the object; get them from {origins}"
            )
        return listed

    def load(self, scene: str) -> Scene:
        """See `Dataset`."""
        known = _known(scene)
        folder = self.masks / known.masks
        masks = [path for path in visible_files(folder, SOURCE) if _is_mask(path)]
        if not masks:
            raise DatasetError(f"{folder} holds no mask; get it again from {SOURCE}")
        photographs = self._photographs(known)
        truth: dict[int, Path] = {}
        for path in masks:
            view = _view(path, photographs, known)
            if view in truth:
                raise DatasetError(f"{path} and {truth[view].name} belong to the same photograph; remove one of them")
            truth[view] = path
            size = upright_size(photographs[view], known.origin)
            mask_of(photographs[view], size, path, SOURCE)  # a scene with a damaged mask is not segmented first
        kept = _thinned(len(photographs), list(truth))
        photographs = tuple(photographs[view] for view in kept)
        truth = {kept.index(view): path for view, path in truth.items()}
        reference, *others = truth
        size = upright_size(photographs[reference], known.origin)
        scored = list(truth) if self.reference_scored else others
        if not scored:
            raise DatasetError(f"{folder} holds one mask only, whose view has the clicks; get it again from {SOURCE}")
        return Scene(
            scene,
            tuple(photograph(path, known.origin) for path in photographs),
            (
                Target(
                    "object",
                    self._clicks(scene, reference, size, truth[reference]),
                    {view: partial(read_mask, path, SOURCE) for view, path in truth.items()},
                    tuple(sorted(scored)),
                ),
            ),
        )

    def _photographs(self, known: _Known) -> tuple[Path, ...]:
        if self.images is None:
            raise DatasetError(f"{self.masks / known.masks} holds no photographs; get them from {known.origin}")
        return find_photographs(self.images, known.photographs, FOLDERS, known.origin)

    def _clicks(self, scene: str, view: int, size: tuple[int, int], file: Path) -> tuple[Click, ...]:
        mask, rng = read_mask(file, SOURCE), dice(self.name, scene, "object", seed=self.seed)
        with naming(file):
            inside = clicks_in(view, mask, POSITIVES, size, rng, positive=True)
            return (*inside, *clicks_in(view, ~mask, NEGATIVES, size, rng, positive=False))


def _thinned(views: int, masked: Sequence[int]) -> list[int]:
    """At most MOST views, or all that have a mask: truck has 251 photographs, and the paper takes 100 at most."""
    others = [view for view in range(views) if view not in masked]
    return sorted([*masked, *evenly(others, max(0, MOST - len(masked)))])


def _known(scene: str) -> _Known:
    return _KNOWN.get(scene) or _llff(scene)


def _is_mask(path: Path) -> bool:
    return path.suffix.lower() == ".png" and "cutout" not in path.stem and "pseudo" not in path.stem


def _view(path: Path, photographs: tuple[Path, ...], known: _Known) -> int:
    """The view a mask belongs to, by its name, or by its number among the photographs."""
    stems = [each.stem for each in photographs]
    for name in (path.stem, _SPLIT.sub("", path.stem, count=1)) if known.split else (path.stem,):
        if name in stems:
            return stems.index(name)
    folder = photographs[0].parent
    if numbered := NUMBERED.fullmatch(path.stem):
        if known.views not in (None, len(stems)):
            raise DatasetError(
                f"{folder} holds {len(stems)} photographs, not the {known.views} by whose order {path} is numbered; "
                f"get them again from {known.origin}"
            )
        if int(numbered[1]) < len(stems):
            return int(numbered[1])
    raise DatasetError(
        f"{path} belongs to none of the {len(stems)} photographs in {folder}; get all of them from {known.origin}"
    )
