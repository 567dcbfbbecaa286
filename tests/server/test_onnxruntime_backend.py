"""A graph behind `backend: "onnxruntime"`, served by the embedded Triton through our Python-based backend."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from server.launcher import LaunchError, TritonServer
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def server(tiny_repository: Path) -> Iterator[TritonServer]:
    with TritonServer(tiny_repository, ready_within=60) as running:
        yield running


def ask(
    server: TritonServer, arrays: dict[str, np.ndarray], outputs: tuple[str, ...], request_id: str = ""
) -> dict[str, np.ndarray]:
    inputs = []
    for name, array in arrays.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        inputs.append(tensor.set_data_from_numpy(array))
    with triton.InferenceServerClient(server.grpc_url) as client:
        wanted = [triton.InferRequestedOutput(name) for name in outputs]
        answer = client.infer("tiny", inputs, outputs=wanted, request_id=request_id)
    assert answer is not None
    names = [output.name for output in answer.get_response().outputs]
    return {name: array for name in names if (array := answer.as_numpy(name)) is not None}


def example(items: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(items)
    return {
        "VALUES": rng.standard_normal(items, dtype=np.float32),
        "FLAGS": rng.random(items) < 0.5,
        "COUNTS": rng.integers(-9, 9, items, dtype=np.int32),
    }


@pytest.mark.parametrize("items", [0, 1, 7, 100_000])
def test_answers_as_the_graph_computes_at_any_size(server: TritonServer, items: int) -> None:
    given = example(items)
    answer = ask(server, given, ("SUM", "FLAGS_AGAIN", "COUNTS_AGAIN"))
    np.testing.assert_array_equal(answer["SUM"], given["VALUES"] * given["FLAGS"] + given["COUNTS"].astype(np.float32))
    np.testing.assert_array_equal(answer["FLAGS_AGAIN"], given["FLAGS"])
    np.testing.assert_array_equal(answer["COUNTS_AGAIN"], given["COUNTS"])


def test_returns_what_is_asked_for_whatever_the_order(server: TritonServer) -> None:
    given = example(5)
    answer = ask(server, dict(reversed(given.items())), ("COUNTS_AGAIN", "SUM"))
    assert set(answer) == {"COUNTS_AGAIN", "SUM"}
    np.testing.assert_array_equal(answer["COUNTS_AGAIN"], given["COUNTS"])
    np.testing.assert_array_equal(answer["SUM"], given["VALUES"] * given["FLAGS"] + given["COUNTS"].astype(np.float32))


def test_a_failure_inside_is_told_without_its_inside(server: TritonServer) -> None:
    contradictory = example(3) | {"FLAGS": np.ones(2, bool)}
    with pytest.raises(InferenceServerException) as failure:
        ask(server, contradictory, ("SUM",), request_id="click\n17")
    assert failure.value.status() == "StatusCode.INTERNAL"
    assert failure.value.message() == "INTERNAL: internal error in tiny (request id 'click\\n17')"
    wait_until(lambda: "Traceback" in server.log_tail(lines=100))  # the log has a thread of its own
    assert ask(server, example(3), ("SUM",)).keys() == {"SUM"}, "the next good request succeeds"


def test_refuses_a_graph_that_was_changed(spoilt_repository: Path) -> None:
    with (spoilt_repository / "tiny" / "1" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with (
        pytest.raises(LaunchError, match=r"tiny/1/model\.onnx is not the file that manifest\.json names"),
        TritonServer(spoilt_repository, ready_within=60),
    ):
        pass


def test_refuses_a_config_that_names_other_tensors_than_the_graph(spoilt_repository: Path) -> None:
    config = spoilt_repository / "tiny" / "config.pbtxt"
    config.write_text(config.read_text().replace('"COUNTS"', '"COUNTERS"'))
    with (
        pytest.raises(LaunchError, match=r"tiny: config\.pbtxt names the inputs .*COUNTERS.* the graph .*COUNTS"),
        TritonServer(spoilt_repository, ready_within=60),
    ):
        pass


@pytest.mark.parametrize(
    ("former", "planted", "complaint"),
    [
        ("output .*SUM.* dims: ", "[ 7 ]", r"tiny: config\.pbtxt gives output SUM the dims \[7\], the graph \[-1\]"),
        ("input .*VALUES.* dims: ", "[ -1, 3 ]", r"gives input VALUES the dims \[-1, 3\], the graph \[-1\]"),
        ("input .*COUNTS.* data_type: ", "TYPE_INT64", r"says TYPE_INT64 of input COUNTS, the graph TYPE_INT32"),
    ],
)
def test_refuses_what_the_cpp_backend_refuses(
    spoilt_repository: Path, former: str, planted: str, complaint: str
) -> None:
    config = spoilt_repository / "tiny" / "config.pbtxt"
    spoilt = re.sub(rf"^({former})(\[[^]]*\]|\w+)", rf"\g<1>{planted}", config.read_text(), flags=re.MULTILINE)
    assert spoilt != config.read_text()
    config.write_text(spoilt)
    with pytest.raises(LaunchError, match=complaint), TritonServer(spoilt_repository, ready_within=60):
        pass


def test_a_number_that_only_the_config_gives_an_input_is_a_smaller_offer(spoilt_repository: Path) -> None:
    config = spoilt_repository / "tiny" / "config.pbtxt"
    config.write_text(re.sub(r"(input .*dims: )\[ -1 \]", r"\g<1>[ 3 ]", config.read_text()))
    with TritonServer(spoilt_repository, ready_within=60) as server:
        assert ask(server, example(3), ("SUM",)).keys() == {"SUM"}


@pytest.mark.parametrize(
    ("model", "former", "planted", "complaint"),
    [
        ("sam2_encoder", r'"images",.*dims: \[ -1, 3, )256', "-1", r"sam2_encoder.* input images .*\[-1, 3, -1, 256\]"),
        ("mask_decoder", r'"high_res_1",.*dims: \[ -1, 64, )32', "64", r"mask_decoder.* input high_res_1 .*64, 64, 32"),
        ("point_embedder", r'"point_position",.*dims: \[ -1, )256', "-1", r"point_embedder.* output point_position"),
    ],
)
def test_a_planted_number_is_refused_by_model_and_tensor(
    demo_repository: Path, tmp_path: Path, model: str, former: str, planted: str, complaint: str
) -> None:
    shutil.copytree(demo_repository / model, tmp_path / "planted" / model)
    config = tmp_path / "planted" / model / "config.pbtxt"
    spoilt = re.sub(f"({former}", rf"\g<1>{planted}", config.read_text())
    assert spoilt != config.read_text()
    config.write_text(spoilt)
    with pytest.raises(LaunchError, match=complaint), TritonServer(tmp_path / "planted", ready_within=60):
        pass
