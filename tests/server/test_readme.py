"""The README's code blocks do what it says."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from export.repository import assemble
from mvsam.synthetic.scene import make_scene
from mvsam_client import Click, Client
from mvsam_client.cli import main
from server.launcher import TritonServer
from server.trials.running import Served, served

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
GEOMETRY = (ROOT / "docs" / "geometry.md").read_text()
DEFAULT_URL, DEFAULT_HTTP_URL = "127.0.0.1:8001", "127.0.0.1:8000"


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def run(block: str, url: str, http_url: str = DEFAULT_HTTP_URL) -> dict[str, object]:
    """What a block leaves behind, asked of this server."""
    names: dict[str, object] = {}
    block = block.replace(DEFAULT_URL, url).replace(DEFAULT_HTTP_URL, http_url)
    exec(compile(block, "document", "exec"), names)
    return names


def shell(block: str, **variables: str) -> str:
    """What a block says."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    environment = os.environ | variables | {"no_proxy": "*"}
    return subprocess.run(
        ["bash", "-ec", block], env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.fixture(scope="module")
def service(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo_repository, tmp_path_factory.mktemp("readme") / "triton.log") as service:
        yield service


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    for index, image in enumerate(make_scene(5, views=2, height=240, width=400).images):
        Image.fromarray(image).save(tmp_path / "photos" / f"{index}.jpg")
    monkeypatch.chdir(tmp_path)


def test_every_make_command_is_a_documented_target() -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]
    commands += re.findall(r"`(make [a-z-]+[^`]*)`", TEXT)
    assert {"make demo", "make test", "make serve"} <= set(commands)
    documented = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in commands:
        assert re.search(rf"^{shlex.split(command, comments=True)[1]} ", documented, flags=re.MULTILINE), command


@pytest.mark.usefixtures("photographs")
def test_command_line_of_the_readme_runs(demo_server: TritonServer) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith(".venv/bin/mvsam ")]
    assert lines
    for line in lines:
        arguments = line.replace("photos/*.jpg", "photos/0.jpg photos/1.jpg").split()[1:]
        assert main([*arguments, "--url", demo_server.grpc_url]) == 0
        assert Path("out/chair/contact_sheet.png").is_file()


@pytest.mark.usefixtures("photographs")
def test_python_of_the_readme_runs(demo_server: TritonServer) -> None:
    for block in blocks("python"):
        names = run(block, demo_server.grpc_url)
        assert names["result"].masks[0][1].shape == (240, 400)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.usefixtures("photographs")
def test_python_of_the_protocol_runs(service: Served) -> None:
    one_shot, scene, over_http = (
        run(block, service.grpc_url, service.http_url) for block in blocks("python", PROTOCOL)
    )
    size, areas = one_shot["result"]  # pyright: ignore[reportGeneralTypeIssues]
    assert size == [240, 400] and areas.shape == (1, 2)
    assert scene["result"] in ([[1], [0]], [[1, 0]])
    parts: Any = over_http["result"]
    assert [view for views, _ in parts for view in views] == [1, 0]
    assert all(json.loads(mask)["size"] == [240, 400] for _, masks in parts for mask in masks)
    pages, click = (block.replace(DEFAULT_HTTP_URL, service.http_url) for block in blocks("sh", PROTOCOL))
    shell(pages)
    lines = shell(click, SCENE=str(over_http["scene"])).splitlines()
    assert [output["name"] for output in json.loads(lines[0])["outputs"]] == ["VIEW", "AREAS"]


@pytest.mark.usefixtures("photographs")
def test_own_points_of_the_geometry_guide_are_used(demo_server: TritonServer) -> None:
    *_, rgbd = blocks("python", GEOMETRY)
    scene = make_scene(5, views=2, height=240, width=400)
    np.savez("rgbd.npz", depth=scene.depth, intrinsics=scene.intrinsics, poses=scene.camera_poses)
    names = run(rgbd, demo_server.grpc_url)
    seen = scene.valid
    assert np.allclose(names["points"][seen], scene.points[seen], atol=1e-3)  # pyright: ignore[reportIndexIssue]
    whole, kept = (names[name].masks[0] for name in ("result", "again"))  # pyright: ignore[reportAttributeAccessIssue]
    assert all(np.array_equal(a, b) and a.shape == (240, 400) for a, b in zip(whole, kept, strict=True))


@pytest.mark.usefixtures("photographs")
def test_another_network_in_the_place_of_pi3_is_served(demo_graphs: Path, tmp_path: Path) -> None:
    _, _, swap, _ = blocks("python", GEOMETRY)
    shutil.copytree(demo_graphs, "build/onnx/demo/fp32")
    onnx.save(colours_as_points(), "squarenet.onnx")
    run(swap, "")
    repository = assemble(tmp_path / "build/onnx/demo/fp32", tmp_path / "build/repository/demo")
    with (
        served(repository, tmp_path / "triton.log") as service,
        Client(service.grpc_url) as client,
    ):
        photographs = sorted(Path("photos").iterdir())
        result = client.segment(photographs, points=[Click(view=0, x=320, y=200)], outputs=("points",))
    points = result.extra["points"]
    assert points.shape[0] == 2 and points.min() >= 0 and points.max() <= 1  # colours, no places
    assert result.masks[0][1].shape == (240, 400)


def colours_as_points() -> onnx.ModelProto:
    """A graph with π³'s inputs and outputs and no weights."""
    nodes = [
        helper.make_node("Transpose", ["images"], ["points"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["images", "channels"], ["confidence"], keepdims=0),
        helper.make_node("Shape", ["images"], ["views"], start=0, end=1),
        helper.make_node("Concat", ["views", "four"], ["shape"], axis=0),
        helper.make_node("Expand", ["identity", "shape"], ["camera_poses"]),
    ]
    constants = {"channels": np.array([1]), "four": np.array([4, 4]), "identity": np.eye(4, dtype=np.float32)}
    shapes = {"points": ["N", "H", "W", 3], "confidence": ["N", "H", "W"], "camera_poses": ["N", 4, 4]}
    values = {
        name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in {"images": ["N", 3, "H", "W"], **shapes}.items()
    }
    graph = helper.make_graph(
        nodes,
        "squarenet",
        [values["images"]],
        [values[name] for name in shapes],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


@pytest.mark.usefixtures("photographs")
def test_the_tutorial_runs(service: Served) -> None:
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text())["cells"]
    names = run("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"), service.grpc_url)
    assert names["masks"].keys() == {1, 2} and names["order"] == [1, 0]  # pyright: ignore[reportAttributeAccessIssue]
    assert names["first"].size == (400, 240)  # pyright: ignore[reportAttributeAccessIssue]
    assert Path("object.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("photographs")
def test_the_clients_example_of_scenes_runs(demo_server: TritonServer) -> None:
    _, example, words, annotator, coroutines, adapter = blocks("python", (ROOT / "clients" / "README.md").read_text())
    names = run(example, demo_server.grpc_url)
    assert names["better"].answer != names["first"].answer  # pyright: ignore[reportAttributeAccessIssue]
    assert run(words, demo_server.grpc_url)["result"].object_ids == (7,)  # pyright: ignore[reportAttributeAccessIssue]
    assert Path("mask.png").read_bytes().startswith(b"\x89PNG")
    assert run(annotator, demo_server.grpc_url)["masks"].keys() == {1, 2}  # pyright: ignore[reportAttributeAccessIssue]
    run(coroutines, demo_server.grpc_url)
    assert run(adapter, demo_server.grpc_url)["mask"].shape == (1, 240, 400)  # pyright: ignore[reportAttributeAccessIssue]
