"""What the service tells of itself and of its models while Triton is away: in words, and no address of our insides.

Triton cannot be started anew here, so that it stays away for as long as the questions take.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.trials.running import Served, served
from tests.server.wire import CHANNEL, INTERNALS, good, request
from tests.waiting import wait_until

messages: Any = service_pb2
health: Any = health_pb2
ADDRESS = re.compile(r"ipv[46]|unix:|localhost|127\.|\[::|:\d{2,5}\b|port", re.IGNORECASE)
QUESTIONS = {
    "ServerMetadata": messages.ServerMetadataRequest(),
    "ModelMetadata": messages.ModelMetadataRequest(name="mvsam"),
    "ModelConfig": messages.ModelConfigRequest(name="mvsam_scene"),
    "ModelStatistics": messages.ModelStatisticsRequest(name="mvsam"),
    "ModelStatistics of all": messages.ModelStatisticsRequest(),
    "ModelInfer": request("mvsam", good("mvsam"), ("AREAS",)),
}
PAGES = ("v2", "v2/models/mvsam", "v2/models/mvsam/versions/1", "v2/models/mvsam/ready")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outages")


@pytest.fixture(scope="module")
def service(demo_repository: Path, folder: Path) -> Iterator[Served]:
    with served(demo_repository, folder / "triton.log") as service:
        yield service


@pytest.fixture(scope="module")
def stub(service: Served) -> Iterator[Any]:
    with grpc.insecure_channel(service.grpc_url, options=CHANNEL) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def refusal(stub: Any, question: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as refused:
        getattr(stub, question.partition(" ")[0])(QUESTIONS[question], timeout=60)
    error: Any = refused.value
    return error.code().name, error.details()


def assert_told_in_words(stub: Any, service: Served) -> None:
    for question in QUESTIONS:
        status, text = refusal(stub, question)
        assert status == "UNAVAILABLE", (question, text)
        assert "try again in a few seconds" in text, (question, text)
        assert not ADDRESS.search(text) and not INTERNALS.search(text), (question, text)
    for page in PAGES:
        status, text = service.get(page)
        assert status == 503 and not ADDRESS.search(text), (page, text)
        assert page.endswith("ready") or "try again in a few seconds" in json.loads(text)["error"]


def test_statistics_without_a_name_are_those_of_the_models_for_clients(service: Served, stub: Any):
    assert stub.ModelInfer(QUESTIONS["ModelInfer"], timeout=60).outputs
    told = {each.name: each for each in stub.ModelStatistics(messages.ModelStatisticsRequest()).model_stats}
    assert set(told) == {"mvsam", "mvsam_pointmap", "mvsam_scene"}
    wait_until(  # Triton counts a run a moment after it has answered
        lambda: (
            stub.ModelStatistics(messages.ModelStatisticsRequest(name="mvsam")).model_stats[0].inference_count
            > told["mvsam"].inference_count - 1
            >= 0
        )
    )


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig"])
def test_a_question_about_no_model_is_told_which_there_are(stub: Any, method: str):
    with pytest.raises(grpc.RpcError) as refused:
        getattr(stub, method)(getattr(messages, f"{method}Request")())
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the request names no model; use mvsam or mvsam_pointmap or mvsam_scene"


def test_a_version_that_is_not_there_is_not_ready(service: Served, stub: Any):
    for version, ready in (("", True), ("1", True), ("2", False)):
        assert stub.ModelReady(messages.ModelReadyRequest(name="mvsam", version=version)).ready == ready


def test_while_triton_is_away_no_address_is_told(service: Served, stub: Any, folder: Path, demo_repository: Path):
    kept = demo_repository.rename(demo_repository.with_name("away"))  # so that it cannot be started anew
    try:
        triton = service.triton()
        triton.kill()
        wait_until(lambda: not triton.is_running() or triton.status() == psutil.STATUS_ZOMBIE)
        for _ in range(3):
            assert_told_in_words(stub, service)
        assert not stub.ModelReady(messages.ModelReadyRequest(name="mvsam")).ready
        assert not stub.ServerReady(messages.ServerReadyRequest()).ready
        assert stub.ServerLive(messages.ServerLiveRequest()).live
    finally:
        kept.rename(demo_repository)
    wait_until(service.is_ready)
    assert stub.ModelInfer(QUESTIONS["ModelInfer"], timeout=60).outputs, "ready is what answers"
    with grpc.insecure_channel(service.grpc_url, options=CHANNEL) as channel:
        told: Any = health_pb2_grpc.HealthStub(channel)
        assert told.Check(health.HealthCheckRequest()).status == health.HealthCheckResponse.SERVING
    assert stub.ServerMetadata(QUESTIONS["ServerMetadata"]).name == "triton"
