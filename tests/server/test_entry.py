"""The door for clients: what it lets through, what it keeps out, and what it says of itself."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam_client import Click, Client, Scene, UnknownSceneError
from server.trials.running import PROJECT, Served, served
from tests.server.relay import EAGER, PINGS, relayed
from tests.server.wire import CHANNEL, INTERNALS, Tensors, Wire, files, floats, good, integers, request
from tests.waiting import PATIENCE, wait_until

messages: Any = service_pb2
health: Any = health_pb2
CLICK = [Click(view=0, x=5, y=5)]


@pytest.fixture(scope="module")
def service(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo_repository, tmp_path_factory.mktemp("entry") / "triton.log") as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Served) -> Client:
    return Client(service.grpc_url)


@pytest.fixture(scope="module")
def channel(service: Served) -> grpc.Channel:
    return grpc.insecure_channel(service.grpc_url, options=CHANNEL)


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> Any:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(scope="module")
def encoded(client: Client, photographs: list[bytes]) -> Scene:
    return client.encode(photographs)


def asking(encoded: Scene, request_id: str) -> Any:
    tensors: Tensors = {
        "ACTION": files(b"segment"),
        "SCENE": files(encoded.id.encode()),
        "POINTS": np.array([[[5, 5]]], np.float32),
        "POINT_LABELS": np.ones((1, 1), np.int32),
        "POINT_VIEWS": np.zeros((1, 1), np.int32),
    }
    message = request("mvsam_scene", tensors, ("VIEW", "AREAS"))
    message.id = request_id
    return message


def test_it_is_ready_in_every_way_to_ask(service, stub, channel):
    assert service.get("v2/health/live")[0] == service.get("v2/health/ready")[0] == 200
    assert stub.ServerReady(messages.ServerReadyRequest()).ready
    assert stub.ModelReady(messages.ModelReadyRequest(name="mvsam_scene")).ready
    asked: Any = health_pb2_grpc.HealthStub(channel)
    assert asked.Check(health.HealthCheckRequest()).status == health.HealthCheckResponse.SERVING
    watched = asked.Watch(health.HealthCheckRequest())
    assert next(watched).status == health.HealthCheckResponse.SERVING
    watched.cancel()


@pytest.mark.parametrize("model", ["pi3", "postprocess", "mask_decoder", "nothing"])
def test_inner_models_are_not_for_clients(stub, model):
    assert not stub.ModelReady(messages.ModelReadyRequest(name=model)).ready
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(messages.ModelInferRequest(model_name=model))
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.NOT_FOUND and "use mvsam or mvsam_pointmap or mvsam_scene" in error.details()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("RepositoryIndex", messages.RepositoryIndexRequest()),
        ("RepositoryModelLoad", messages.RepositoryModelLoadRequest(model_name="pi3")),
        ("RepositoryModelUnload", messages.RepositoryModelUnloadRequest(model_name="pi3")),
        ("SystemSharedMemoryStatus", messages.SystemSharedMemoryStatusRequest()),
        ("SystemSharedMemoryRegister", messages.SystemSharedMemoryRegisterRequest(name="x", key="/x", byte_size=1)),
        ("CudaSharedMemoryStatus", messages.CudaSharedMemoryStatusRequest()),
        ("TraceSetting", messages.TraceSettingRequest()),
        ("LogSettings", messages.LogSettingsRequest()),
    ],
)
def test_control_is_not_for_clients(stub, method, message):
    with pytest.raises(grpc.RpcError) as refused:
        getattr(stub, method)(message)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert error.details() == "control of models, logs, traces and shared memory is not for clients"


def test_ensembles_and_scenes_answer_through_it(client, encoded, photographs):
    whole, click = client.segment(photographs, points=CLICK), encoded.segment(points=CLICK)
    assert np.array_equal(whole.areas.shape, click.areas.shape)
    assert np.allclose(whole.areas, click.areas, atol=0.01 * whole.areas.max() + 5)


def test_errors_come_with_their_status_however_a_client_listens(client, encoded, stub):
    with pytest.raises(UnknownSceneError, match="encode the photographs again"):
        client.scene("0" * 32).segment(points=CLICK)
    wrong = asking(encoded, "a")
    wrong.raw_input_contents[1] = len(b"0" * 32).to_bytes(4, "little") + b"0" * 32
    (told,) = stub.ModelStreamInfer(iter([wrong]))
    assert told.error_message.startswith("NOT_FOUND: SCENE")
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.ModelStreamInfer(iter([wrong]), metadata=[("triton_grpc_error", "true")]))
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.NOT_FOUND


def test_a_scene_is_asked_on_a_stream(stub, encoded):
    with pytest.raises(grpc.RpcError, match="answers in parts; call ModelStreamInfer"):
        stub.ModelInfer(asking(encoded, "a"))


def test_requests_on_one_stream_keep_their_ids(stub, encoded):
    parts = list(stub.ModelStreamInfer(iter([asking(encoded, "one"), asking(encoded, "two")])))
    views = {name: 0 for name in ("one", "two")}
    for part in parts:
        assert not part.error_message
        views[part.infer_response.id] += part.infer_response.outputs[0].shape[0]
    assert views == {"one": 4, "two": 4}


def test_a_client_that_pings_keeps_its_stream_while_nothing_is_asked(service, encoded):
    async def act() -> list[str]:
        async with (
            asyncio.timeout(PATIENCE),
            relayed(service.grpc_url) as relay,
            grpc.aio.insecure_channel(relay.url, options=EAGER) as channel,
        ):
            stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer()
            answered = []
            for name in ("one", "two"):
                await stream.write(asking(encoded, name))
                answered.append((await stream.read()).infer_response.id)
                await relay.pinged(PINGS)
            await stream.done_writing()
            assert relay.connections == 1
            return answered

    assert asyncio.run(act())[0] == "one"


def test_who_stops_listening_leaves_nothing_behind(service, encoded):
    for _ in range(10):
        next(iter(encoded.stream(points=CLICK)))
    wait_until(lambda: service.metric('mvsam_requests_inside{model="mvsam_scene"}') == 0)
    assert len(list(encoded.stream(points=CLICK))) == 4


def test_what_clients_saw_is_what_is_counted(service, encoded):
    line = 'mvsam_requests_total{action="segment",model="mvsam_scene",status="%s"}'
    before = [service.metric(line % status) for status in ("OK", "INVALID_ARGUMENT")]
    for view in (0, 1, 9):
        try:
            encoded.segment(points=[Click(view=view, x=5, y=5)])
        except Exception as error:
            assert view == 9, error
    after = [service.metric(line % status) for status in ("OK", "INVALID_ARGUMENT")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1]
    assert service.metric("mvsam_ready") == 1
    wait_until(lambda: service.metric("mvsam_scenes") >= 1)  # told once a second
    wait_until(lambda: service.metric("mvsam_scene_bytes") > 1e6)
    # Triton's own, which are left out while it is slow to tell them.
    wait_until(lambda: service.metric('nv_inference_request_success{model="mvsam_scene",version="1"}') > 0)


def test_the_dashboard_asks_for_metrics_that_are_there(service, encoded):
    encoded.segment(points=CLICK)
    dashboard = json.loads((PROJECT / "deploy/grafana/mvsam.json").read_text())
    asked = {
        re.sub("_(bucket|sum|count)$", "", name)
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:mvsam|nv)_\w+", re.sub(r'"[^"]*"', "", target["expr"]))
    }
    assert len(asked) > 12
    wait_until(lambda: asked <= set(re.findall(r"^# TYPE (\S+) ", service.get("metrics")[1], re.MULTILINE)))


def test_what_does_not_fit_is_refused_in_our_own_words(service):
    wire = Wire(service.grpc_url)
    odd: list[tuple[Tensors, str, str]] = [
        ({"POINTS": None}, "MASKS", "POINTS is missing; send it, FP32 of shape [any, any, 2]"),
        ({"POINTS": floats([[1, 2]])}, "MASKS", "POINTS has the shape [1, 2]; send [any, any, 2]"),
        ({"NOTHING": floats([1])}, "MASKS", "mvsam has no input 'NOTHING'; its inputs are IMAGES, "),
        ({}, "MASQUES", "mvsam has no output 'MASQUES'; its outputs are MASKS, "),
    ]
    for changes, output, says in odd:
        answer = wire.ask("mvsam", good("mvsam") | changes, (output,))
        assert answer.status == "INVALID_ARGUMENT" and answer.message.startswith(says), answer
    wire.close()


def test_what_a_model_itself_refuses_is_passed_on_word_for_word(service):
    wire = Wire(service.grpc_url)
    answer = wire.ask("mvsam", good("mvsam") | {"POINT_VIEWS": integers([[2]])}, ("MASKS",))
    wire.close()
    says = "POINT_VIEWS: object 0, click 0 names view 2 of 2; give 0 to 1"
    assert (answer.status, answer.message) == ("INVALID_ARGUMENT", says)


def test_a_version_that_is_not_there_is_not_found(stub):
    request = messages.ModelInferRequest(model_name="mvsam", model_version="9")
    for method, message in (
        ("ModelInfer", request),
        ("ModelMetadata", messages.ModelMetadataRequest(name="mvsam", version="9")),
        ("ModelConfig", messages.ModelConfigRequest(name="mvsam", version="9")),
        ("ModelStatistics", messages.ModelStatisticsRequest(name="mvsam", version="9")),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            getattr(stub, method)(message)
        error: Any = refused.value
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "mvsam has no version '9'; name none, or 1"


def test_only_extensions_that_are_served_are_told(stub):
    told = stub.ServerMetadata(messages.ServerMetadataRequest())
    assert told.name == "triton" and told.version
    assert list(told.extensions) == ["model_configuration", "statistics"]


@pytest.mark.parametrize("model", ["mvsam", "mvsam_pointmap", "mvsam_scene"])
def test_a_config_does_not_name_what_a_model_is_made_of(stub, model):
    config = stub.ModelConfig(messages.ModelConfigRequest(name=model)).config
    assert not INTERNALS.search(str(config))
    assert not config.parameters and not config.instance_group and not config.backend
    assert config.model_transaction_policy.decoupled == (model == "mvsam_scene")


def test_an_ensembles_config_does_not_name_what_it_is_made_of(stub):
    config = stub.ModelConfig(messages.ModelConfigRequest(name="mvsam")).config
    assert {tensor.name for tensor in config.input} >= {"IMAGES", "POINTS"}
    assert not config.HasField("ensemble_scheduling") and "preprocess" not in str(config)
    assert config.platform != "ensemble"  # or perf_analyzer looks for the steps, and crashes
