"""VGGT's outputs become pointmaps of whole photographs, from its package or from a graph that a manifest names."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import Tensor, nn

from mvsam.evaluation.alignment import aligned_distances
from mvsam.evaluation.geometry.pointmaps import GeometryError
from mvsam.evaluation.geometry.vggt import SIDE, VggtProvider, padded_rect
from mvsam.evaluation.geometry.vggt_package import VggtPackage
from mvsam.runtime.artifacts import MANIFEST, sha256, write_json
from mvsam.runtime.onnx import MODEL
from tests.unit.evaluation.geometry.exact import View, misses, moved_pose, off_surface, photographs, restored, views
from tests.unit.evaluation.geometry.vggt_made import NONSENSE, outputs

SMALL = 112
LANDSCAPE, PORTRAIT = (90, 120), (120, 90)


class Oracle:
    """Exact outputs."""

    def __init__(self, taken: list[View]) -> None:
        self.types: dict[str, np.dtype] = {}
        self.taken = taken

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return outputs(inputs["images"], self.taken)


@pytest.mark.parametrize("photograph, size", [(LANDSCAPE, (84, 112)), (PORTRAIT, (112, 84)), ((77, 77), (112, 112))])
def test_photographs_of_one_shape_have_exact_pointmaps(photograph: tuple[int, int], size: tuple[int, int]) -> None:
    taken = views(photograph, photograph, photograph)
    found = VggtProvider(Oracle(taken), SMALL).pointmaps(photographs(taken))
    assert found.camera_poses is not None and found.intrinsics is not None
    exact = np.stack([view.points(size) for view in taken])
    assert found.geometry.points.shape == exact.shape and found.geometry.valid.all()
    assert aligned_distances(found.geometry.points, exact).max() < 1e-5
    for view, pose, lens in zip(taken, found.camera_poses, found.intrinsics, strict=True):
        np.testing.assert_allclose(pose, moved_pose(view.pose), atol=1e-5)
        np.testing.assert_allclose(lens, view.intrinsics(size), rtol=1e-4)
    np.testing.assert_allclose(
        found.geometry.confidence[:, :, 0], np.tile(1 + np.exp(-np.arange(size[0]) / 10), (3, 1))
    )


def test_photographs_of_different_shapes_keep_their_points() -> None:
    taken = views(LANDSCAPE, PORTRAIT, (60, 200))
    found = VggtProvider(Oracle(taken), SMALL).pointmaps(photographs(taken))
    assert found.camera_poses is not None and found.intrinsics is not None
    assert found.geometry.valid.shape == (3, 112, 112)
    assert found.geometry.confidence.max() < NONSENSE, "nothing of the padding"
    assert off_surface(restored(found.geometry.points)).max() < 1e-4
    for view, pose, lens in zip(taken, found.camera_poses, found.intrinsics, strict=True):
        np.testing.assert_allclose(pose, moved_pose(view.pose), atol=1e-5)
        np.testing.assert_allclose(lens, view.intrinsics((112, 112)), rtol=1e-4)
    halves = [0.5 * 112 / height for height in (84, 112, 28)]
    assert all(missed.max() < np.hypot(half, 0.7) for missed, half in zip(misses(found), halves, strict=True))


@pytest.mark.parametrize(
    "size, rect",
    [
        ((1080, 1920), (0, 112, 518, 294)),
        ((1920, 1080), (112, 0, 294, 518)),
        ((480, 640), (0, 63, 518, 392)),
        ((500, 500), (0, 0, 518, 518)),
        ((10, 5000), (0, 252, 518, 14)),
    ],
)
def test_photographs_lie_where_the_authors_put_them(size: tuple[int, int], rect: tuple[int, int, int, int]) -> None:
    assert padded_rect(size, SIDE) == rect


def test_outputs_of_another_network_are_refused() -> None:
    class Other(Oracle):
        def __init__(self, taken: list[View], change: dict[str, np.ndarray | None]) -> None:
            super().__init__(taken)
            self.change = change

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = super().run(inputs) | self.change
            return {name: array for name, array in found.items() if array is not None}

    taken = views(LANDSCAPE)
    cases: list[tuple[dict[str, np.ndarray | None], str]] = [
        ({"depth": None}, r"depth is missing, not \[1, 1, 112, 112, 1\]"),
        ({"depth_conf": np.ones((1, 1, 8, 8), np.float32)}, r"depth_conf is \[1, 1, 8, 8\], not"),
        ({"pose_enc": np.full((1, 1, 9), np.nan, np.float32)}, "not finite.*FP32"),
        ({"depth": np.full((1, 1, 112, 112, 1), np.nan, np.float32)}, "no finite point in view 0"),
    ]
    for change, message in cases:
        with pytest.raises(GeometryError, match=message):
            VggtProvider(Other(taken, change), SMALL).pointmaps(photographs(taken))


def graph(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A folder with a graph that always says the same."""
    nodes = [helper.make_node("Constant", [], [n], value=numpy_helper.from_array(a)) for n, a in arrays.items()]
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "vggt",
        [info("images", TensorProto.FLOAT, [1, "n", 3, SIDE, SIDE])],
        [info(name, TensorProto.FLOAT, array.shape) for name, array in arrays.items()],
    )
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), folder / MODEL)
    write_json(folder / MANIFEST, {"files": {MODEL: sha256(folder / MODEL)}})
    return folder


def test_a_graph_is_loaded_as_its_manifest_names_it(tmp_path: Path) -> None:
    taken = views(LANDSCAPE, LANDSCAPE)
    images = np.ones((1, 2, 3, SIDE, SIDE), np.float32)
    images[:, :, :, 63:455] = 0.3
    folder = graph(tmp_path, outputs(images, taken))
    found = VggtProvider.exported(folder, threads=1).pointmaps(photographs(taken))
    exact = np.stack([view.points((392, 518)) for view in taken])
    assert aligned_distances(found.geometry.points, exact).max() < 1e-5
    with (folder / MODEL).open("ab") as file:
        file.write(b"x")
    with pytest.raises(GeometryError, match=r"manifest\.json names.*SHA-256"):
        VggtProvider.exported(folder)


def test_a_graph_of_another_network_is_refused(tmp_path: Path) -> None:
    graph(tmp_path, {"depth": np.ones(3, np.float32)})
    with pytest.raises(GeometryError, match="no VGGT: its graph has no depth_conf, pose_enc"):
        VggtProvider.exported(tmp_path, threads=1)


class Installed(nn.Module):
    """What the package's network is from outside; exact for the views."""

    taken: tuple[View, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, images: Tensor) -> dict[str, Tensor | list[Tensor]]:
        assert not self.training and not torch.is_grad_enabled()
        found = {n: torch.from_numpy(a) for n, a in outputs(images.numpy(), list(self.taken)).items()}
        return found | {"pose_enc_list": [images], "world_points": images}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> type[Installed]:
    module = ModuleType("vggt.models.vggt")
    monkeypatch.setattr(module, "VGGT", Installed, raising=False)
    monkeypatch.setitem(sys.modules, "vggt.models.vggt", module)
    monkeypatch.setattr(Installed, "taken", tuple(views(PORTRAIT, PORTRAIT)))
    return Installed


def test_the_package_is_asked(installed: type[Installed], tmp_path: Path) -> None:
    torch.save({"bias": torch.ones(2)}, tmp_path / "model.pt")
    found = VggtProvider(VggtPackage(tmp_path / "model.pt"), SMALL).pointmaps(photographs(installed.taken))
    exact = np.stack([view.points((112, 84)) for view in installed.taken])
    assert aligned_distances(found.geometry.points, exact).max() < 1e-5


def test_weights_that_are_none_are_refused(installed: type[Installed], tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(GeometryError, match=r"model\.pt does not exist.*CC BY-NC 4\.0"):
        VggtPackage(path)
    torch.save({"bias": torch.ones(3)}, path)
    with pytest.raises(GeometryError, match="does not fit the installed VGGT"):
        VggtPackage(path)
    torch.save({"bias": Path("a pickled object")}, path)
    with pytest.raises(GeometryError, match="no file of weights"):
        VggtPackage(path)
    path.write_bytes(b"nothing")
    with pytest.raises(GeometryError, match=r"model\.pt is text, not the file itself; download it again"):
        VggtPackage(path)


def test_a_missing_package_is_named_with_its_licence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vggt", None)
    with pytest.raises(GeometryError, match=r"pip install git\+https.*CC BY-NC 4\.0, which forbids commercial use"):
        VggtPackage(tmp_path / "model.pt")
