"""Parameters of requests, inputs and outputs: those that nothing here serves are refused and harm no later request."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from mvsam_client.errors import split_status
from server.trials.running import Served, served
from tests.server.wire import CHANNEL, INTERNALS, Tensors, files, good, request

OF_SCENE: Tensors = {"ACTION": files(b"encode"), "IMAGES": good("mvsam")["IMAGES"]}
ASKED = {  # model: its tensors, and outputs of text and of numbers
    "mvsam": (good("mvsam"), ("MASKS", "AREAS", "SCORES")),
    "mvsam_pointmap": (good("mvsam_pointmap"), ("MASKS", "AREAS", "SCORES")),
    "mvsam_scene": (OF_SCENE, ("SCENE", "IMAGE_SIZES")),
}
EACH = [pytest.param(model, output, id=f"{model}-{output}") for model, (_, names) in ASKED.items() for output in names]


@pytest.fixture(scope="module")
def service(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo_repository, tmp_path_factory.mktemp("parameters") / "triton.log") as service:
        yield service


@pytest.fixture(scope="module")
def stub(service: Served) -> Iterator[Any]:
    with grpc.insecure_channel(service.grpc_url, options=CHANNEL) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def asking(model: str, outputs: tuple[str, ...] = ()) -> Any:
    tensors, names = ASKED[model]
    return request(model, tensors, outputs or names)


def answer(stub: Any, message: Any) -> tuple[str, str]:
    """Status and text."""
    try:
        if message.model_name != "mvsam_scene":
            stub.ModelInfer(message, timeout=60)
            return "OK", ""
        errors = [part.error_message for part in stub.ModelStreamInfer(iter([message]), timeout=60)]
        return split_status(errors[-1]) if errors[-1] else ("OK", "")
    except grpc.RpcError as error:
        failed: Any = error
        return failed.code().name, failed.details()


@contextlib.contextmanager
def harmless(service: Served, stub: Any) -> Iterator[None]:
    """What is done inside costs no process, and every model answers the next request."""
    restarts = service.restarts()
    yield
    for model in ASKED:
        assert answer(stub, asking(model)) == ("OK", ""), model
    assert service.restarts() == restarts


@pytest.mark.parametrize(("model", "output"), EACH)
def test_classes_of_an_output_are_refused_by_name_over_grpc(service: Served, stub: Any, model: str, output: str):
    message = asking(model, (output,))
    message.outputs[0].parameters["classification"].int64_param = 1
    with harmless(service, stub):
        status, text = answer(stub, message)
        assert status == "INVALID_ARGUMENT", text
        assert f"{output} has the parameter 'classification'" in text and text.endswith("; leave it out")


@pytest.mark.parametrize(("model", "output"), EACH)
def test_classes_of_an_output_are_refused_by_name_over_http(service: Served, stub: Any, model: str, output: str):
    inputs = []
    for name, array in ASKED[model][0].items():
        given = tritonclient.http.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        inputs.append(given.set_data_from_numpy(array))
    wanted = tritonclient.http.InferRequestedOutput(output, binary_data=False, class_count=1)
    with harmless(service, stub), tritonclient.http.InferenceServerClient(service.http_url) as client:
        with pytest.raises(InferenceServerException, match=f"{output} has the parameter 'classification'") as refused:
            client.infer(model, inputs, outputs=[wanted])
        assert refused.value.status() == "400"


@pytest.mark.parametrize("model", ASKED)
@pytest.mark.parametrize("place", ["request", "input", "output"])
@pytest.mark.parametrize(
    "name", ["timeout", "priority", "sequence_id", "shared_memory_region", "binary_data", "triton_x", "anything"]
)
def test_others_are_refused_wherever_they_are(service: Served, stub: Any, model: str, place: str, name: str):
    message = asking(model)
    holder = {"request": message, "input": message.inputs[0], "output": message.outputs[0]}[place]
    holder.parameters[name].string_param = "/etc/passwd"
    with harmless(service, stub):
        status, text = answer(stub, message)
        assert status == "INVALID_ARGUMENT" and f"the parameter '{name}'" in text and "; " in text
        assert not INTERNALS.search(text)


def test_an_answer_in_parts_may_be_asked_for_its_end(service: Served, stub: Any):
    message = asking("mvsam_scene")
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    *_, last = [part.infer_response for part in stub.ModelStreamInfer(iter([message]), timeout=60)]
    assert last.parameters["triton_final_response"].bool_param
    for model in ("mvsam", "mvsam_pointmap"):
        message = asking(model)
        message.parameters["triton_enable_empty_final_response"].bool_param = True
        with harmless(service, stub):
            assert answer(stub, message)[0] == "OK"
    for model in ASKED:
        message = asking(model)
        message.parameters["triton_enable_empty_final_response"].string_param = "true"
        with harmless(service, stub):
            status, text = answer(stub, message)
            assert status == "INVALID_ARGUMENT" and "is not true or false; send one of them" in text


@pytest.mark.parametrize("model", ASKED)
def test_an_output_that_is_asked_for_twice_is_refused(service: Served, stub: Any, model: str):
    output = ASKED[model][1][0]
    with harmless(service, stub):
        status, text = answer(stub, asking(model, (output, output)))
        assert status == "INVALID_ARGUMENT" and f"{output} is given twice" in text
