"""Data sets by name, and what each must be told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mvsam.evaluation.benchmarks.dl3dv import Dl3dv
from mvsam.evaluation.benchmarks.nvos import Nvos
from mvsam.evaluation.benchmarks.own import OwnScenes
from mvsam.evaluation.benchmarks.scannetpp import ScanNetPP
from mvsam.evaluation.benchmarks.scenes import Dataset, DatasetError, Scene
from mvsam.evaluation.benchmarks.spin_nerf import SpinNerf
from mvsam.evaluation.benchmarks.synthetic import SyntheticScenes
from mvsam.evaluation.benchmarks.uco3d import UCo3D

NAMES = ("synthetic", "own", "nvos", "spin-nerf", "scannetpp", "uco3d", "dl3dv")


@dataclass(frozen=True)
class FirstScenes:
    """Some scenes of a data set, the first ones."""

    dataset: Dataset
    count: int

    @property
    def name(self) -> str:
        """The data set's."""
        return self.dataset.name

    def scenes(self) -> Sequence[str]:
        """See `Dataset`."""
        return self.dataset.scenes()[: self.count]

    def load(self, scene: str) -> Scene:
        """See `Dataset`."""
        return self.dataset.load(scene)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What names a data set."""
    parser.add_argument("--dataset", choices=NAMES, default="synthetic")
    parser.add_argument("--data", type=Path, help="its folder; of NVOS the annotations, of SPIn-NeRF the masks")
    parser.add_argument("--images", type=Path, help="photographs of NVOS and SPIn-NeRF: LLFF's folder of scenes")
    parser.add_argument("--masks", type=Path, help="masks of ScanNet++ (its toolkit's output) and of DL3DV")
    parser.add_argument("--set-list", default="all-categories", help="of uCo3D: set_lists_<name>.sqlite (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of prompts and choices (%(default)s)")


def dataset_of(options: argparse.Namespace) -> Dataset:
    """The one that options name.

    Raises:
        DatasetError: a folder is not named.
    """
    if options.dataset == "synthetic":
        return SyntheticScenes()
    data: Path | None = options.data
    if data is None:
        raise DatasetError(f"--dataset {options.dataset} needs --data, the folder that it lies in")
    match options.dataset:
        case "own":
            return OwnScenes(data, options.seed)
        case "nvos":
            return Nvos(data, options.images, seed=options.seed)
        case "spin-nerf":
            return SpinNerf(data, options.images, seed=options.seed)
        case "scannetpp":
            if options.masks is None:
                raise DatasetError("--dataset scannetpp needs --masks, the folder that the toolkit wrote obj_ids/ into")
            return ScanNetPP(data, options.masks, seed=options.seed)
        case "uco3d":
            return UCo3D(data, options.set_list, seed=options.seed)
        case _:
            return Dl3dv(data, options.masks, seed=options.seed)
