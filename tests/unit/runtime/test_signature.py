"""A config is held against its graph as Triton's C++ onnxruntime backend does it."""

from typing import Any

import pytest

from mvsam.runtime.artifacts import ArtifactError
from mvsam.runtime.signature import ConfigError, Signature, Tensor

ENCODER = Signature(
    {"images": Tensor("TYPE_FP32", (-1, 3, 256, 256))}, {"high_res_0": Tensor("TYPE_FP16", (-1, 32, 64, 64))}
)


def config(images: Any = (-1, 3, 256, 256), high_res: Any = (-1, 32, 64, 64), **changed: str) -> dict[str, Any]:
    """As Triton hands it over: numbers of 64 bits are text in JSON."""
    types = {"images": "TYPE_FP32", "high_res_0": "TYPE_FP16"} | changed
    given = {"images": images, "high_res_0": high_res}
    tensors = {
        name: {"name": name, "data_type": types[name], "dims": [str(side) for side in dims]}
        for name, dims in given.items()
    }
    return {"input": [tensors["images"]], "output": [tensors["high_res_0"]]}


@pytest.mark.parametrize("images", [(-1, 3, 256, 256), (8, 3, 256, 256)])
def test_what_the_graph_has_is_accepted_and_so_is_a_smaller_offer(images: tuple[int, ...]) -> None:
    ENCODER.check("sam2_encoder", config(images))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (config((-1, 3, -1, -1)), r"input images the dims \[-1, 3, -1, -1\], the graph \[-1, 3, 256, 256\]"),
        (config((-1, 3, 256, 1024)), r"input images the dims \[-1, 3, 256, 1024\], the graph"),
        (config((3, 256, 256)), r"input images the dims \[3, 256, 256\], the graph"),
        (config(high_res=(-1, 32, -1, -1)), r"output high_res_0 the dims \[-1, 32, -1, -1\], the graph"),
        (config(high_res=(8, 32, 64, 64)), r"output high_res_0 the dims \[8, 32, 64, 64\], the graph"),
        (config(high_res_0="TYPE_FP32"), r"says TYPE_FP32 of output high_res_0, the graph TYPE_FP16"),
        (config() | {"output": []}, r"names the outputs \[\], the graph \['high_res_0'\]"),
    ],
)
def test_anything_else_is_refused_by_model_and_tensor(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"sam2_encoder: config\.pbtxt .*{complaint}"):
        ENCODER.check("sam2_encoder", given)


def test_a_manifest_keeps_it() -> None:
    assert Signature.of({"tensors": ENCODER.for_manifest()}) == ENCODER
    with pytest.raises(ArtifactError, match="does not list its tensors"):
        Signature.of({"graph": "pi3"})
