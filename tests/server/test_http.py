"""Inference over HTTP: the same answers as over gRPC, for whoever speaks KServe v2's REST, and the same refusals."""

import contextlib
import hashlib
import http.client
import json
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from mvsam_client import Click, Client
from server.trials.running import Served, served
from tests.server.wire import INTERNALS, PHOTOGRAPH, TURNED, files, good
from tests.waiting import PATIENCE, wait_until

TOKEN, RARE = "correct horse", "battery staple"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
INFER, SCENES = "/v2/models/mvsam/infer", "/v2/models/mvsam_scene/infer"
INSIDE = 'mvsam_requests_inside{model="%s"}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


@pytest.fixture(scope="module")
def service(demo_repository: Path, folder: Path) -> Iterator[Served]:
    tokens = ""
    for name, token, more in (("studio", TOKEN, ""), ("rare", RARE, "requests_per_minute = 1\n")):
        tokens += f'[[token]]\nname = "{name}"\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n{more}'
    (folder / "tokens.toml").write_text(tokens)
    options = [f"--tokens={folder}/tokens.toml"]
    with served(demo_repository, folder / "triton.log", *options) as service:
        yield service


@pytest.fixture(scope="module")
def triton(service: Served) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(service.http_url, network_timeout=60) as client:
        yield client


def ask(
    service: Served, path: str, body: bytes | None = None, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; with the token where no other is given."""
    sent = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection(service.http_url, timeout=60)) as connection:
        connection.request(method, path, body, {name: value for name, value in sent.items() if value})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()


def inputs(tensors: dict[str, Any], kind: Any = tritonclient.http, **options: bool) -> list[Any]:
    made = []
    for name, array in tensors.items():
        given = kind.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        made.append(given.set_data_from_numpy(array, **options))
    return made


def in_json(*names: str) -> list[Any]:
    return [tritonclient.http.InferRequestedOutput(name, binary_data=False) for name in names]


def click(scene: str, view: int, **more: Any) -> bytes:
    """A click on one view in pure JSON."""
    tensors = (
        ("ACTION", "BYTES", [1], ["segment"]),
        ("SCENE", "BYTES", [1], [scene]),
        ("POINTS", "FP32", [1, 1, 2], [[[40, 30]]]),
        ("POINT_LABELS", "INT32", [1, 1], [[1]]),
        ("POINT_VIEWS", "INT32", [1, 1], [[view]]),
    )
    outputs = [{"name": name} for name in ("VIEW", "MASKS", "AREAS")]
    listed = [dict(zip(("name", "datatype", "shape", "data"), tensor, strict=True)) for tensor in tensors]
    return json.dumps({"inputs": listed, "outputs": outputs} | more).encode()


def encoding(photographs: list[bytes], request_id: str = "") -> tuple[bytes, str]:
    """The body that encodes photographs, and the length of its JSON."""
    tensors = inputs({"ACTION": files(b"encode"), "IMAGES": files(*photographs)})
    body, length = InferenceServerClient.generate_request_body(tensors, in_json("SCENE"), request_id)
    return body, str(length)


def infer(client: Any, model: str, tensors: list[Any], *outputs: Any, request_id: str = "") -> Any:
    # A copy: the client writes into the headers that it is given.
    return client.infer(model, tensors, outputs=outputs or None, request_id=request_id, headers={**HEADERS})


@pytest.fixture(scope="module")
def encoded(triton: InferenceServerClient, photographs: list[bytes]) -> str:
    """Encoded by Triton's client, over HTTP."""
    tensors = inputs({"ACTION": files(b"encode"), "IMAGES": files(*photographs)})
    result = infer(triton, "mvsam_scene", tensors, *in_json("SCENE", "IMAGE_SIZES"))
    assert result.as_numpy("IMAGE_SIZES").shape == (4, 2)
    return result.as_numpy("SCENE")[0]


def outputs(line: bytes) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in json.loads(line)["outputs"]}


def inside(service: Served, model: str) -> float:
    return service.metric(INSIDE % model)


def test_tritons_client_is_told_what_there_is(triton: InferenceServerClient):
    assert triton.is_server_live() and triton.is_server_ready()
    told = triton.get_server_metadata(headers={**HEADERS})
    assert told["name"] == "triton" and told["extensions"] == ["binary_tensor_data"]
    for version in ("", "1"):
        told = triton.get_model_metadata("mvsam", version, headers={**HEADERS})
        assert {"name": "POINTS", "datatype": "FP32", "shape": [-1, -1, 2]} in told["inputs"]
        assert "MASKS" in {tensor["name"] for tensor in told["outputs"]}
        assert triton.is_model_ready("mvsam", version, headers={**HEADERS})
        assert not triton.is_model_ready("pi3", version, headers={**HEADERS})


@pytest.mark.parametrize("binary", [True, False])
def test_masks_are_those_of_grpc(service: Served, triton: InferenceServerClient, binary: bool):
    request = good("mvsam")
    images = inputs({"IMAGES": request.pop("IMAGES")})  # no text, so always binary
    names = ("MASKS", "AREAS", "SCORES")
    wanted = [tritonclient.http.InferRequestedOutput(name, binary_data=binary) for name in names]
    sent = [*images, *inputs(request, binary_data=binary)]
    over_http = infer(triton, "mvsam", sent, *wanted, request_id="mine")
    assert over_http.get_response()["id"] == "mine"
    with tritonclient.grpc.InferenceServerClient(service.grpc_url) as client:
        over_grpc = infer(client, "mvsam", inputs(good("mvsam"), tritonclient.grpc))
    expected = [[mask.decode() for mask in row] for row in over_grpc.as_numpy("MASKS")]
    masks = over_http.as_numpy("MASKS").tolist()
    assert [[mask.decode() if binary else mask for mask in row] for row in masks] == expected
    for name in names[1:]:
        assert np.array_equal(over_http.as_numpy(name), over_grpc.as_numpy(name))


def test_where_no_outputs_are_named_all_come(triton: InferenceServerClient):
    result = infer(triton, "mvsam", inputs(good("mvsam")))
    assert result.as_numpy("points").shape[-1] == 3 and result.as_numpy("MASKS").shape == (1, 2)


@pytest.mark.parametrize("view", [0, 2])
def test_a_click_is_answered_in_lines_the_clicked_view_first(service: Served, encoded: str, view: int):
    status, headers, body = ask(service, SCENES, click(encoded, view, id="mine"))
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    assert headers["Transfer-Encoding"] == "chunked" and body.endswith(b"\n")
    lines = body.splitlines()
    assert len(lines) > 1 and {json.loads(line)["id"] for line in lines} == {"mine"}
    parts = [outputs(line) for line in lines]
    views = [each for part in parts for each in part["VIEW"]]
    assert views[0] == view and sorted(views) == [0, 1, 2, 3]
    with Client(service.grpc_url, token=TOKEN) as client:
        result = client.scene(encoded).segment(points=[Click(view=view, x=40, y=30)])
    areas = [area for part in parts for area in part["AREAS"]]
    assert dict(zip(views, areas, strict=True)) == dict(enumerate(result.areas[0].tolist()))


def test_a_scene_is_closed_and_then_unknown(service: Served, triton: InferenceServerClient):
    body, length = encoding([PHOTOGRAPH, TURNED])
    _, _, line = ask(service, SCENES, body, Inference_Header_Content_Length=length)
    (scene,) = outputs(line)["SCENE"]
    tensors = inputs({"ACTION": files(b"close"), "SCENE": files(scene.encode())}, binary_data=False)
    closed = infer(triton, "mvsam_scene", tensors, *in_json("SCENE"))
    assert closed.as_numpy("SCENE").tolist() == [scene]
    status, _, body = ask(service, SCENES, click(scene, 0))
    assert status == 404 and "encode the photographs again" in json.loads(body)["error"]


def test_binary_answers_in_parts_are_refused_before_any_work(triton: InferenceServerClient, photographs: list[bytes]):
    tensors = inputs({"ACTION": files(b"encode"), "IMAGES": files(*photographs)})
    with pytest.raises(InferenceServerException, match="lines of JSON; ask for outputs with binary_data false"):
        infer(triton, "mvsam_scene", tensors, tritonclient.http.InferRequestedOutput("SCENE"))


def test_who_hangs_up_has_the_work_stopped(service: Served, folder: Path, photographs: list[bytes]):
    body, length = encoding(photographs * 6, "hung up")
    connection = http.client.HTTPConnection(service.http_url, timeout=60)
    connection.request("POST", SCENES, body, HEADERS | {"Inference-Header-Content-Length": length})
    wait_until(lambda: inside(service, "mvsam_scene") == 1)
    connection.close()
    wait_until(lambda: inside(service, "mvsam_scene") == 0)
    (logged,) = [line for line in service.log().splitlines() if '"hung up"' in line]
    assert json.loads(logged[logged.index("{") :])["parts"] == 0, "encoded to the end"


def test_who_hangs_up_between_parts_leaves_nothing_behind(service: Served, encoded: str):
    for _ in range(10):
        connection = http.client.HTTPConnection(service.http_url, timeout=60)
        connection.request("POST", SCENES, click(encoded, 0), HEADERS)
        answer = connection.getresponse()
        assert outputs(answer.readline())["VIEW"] == [0]
        answer.close()
        connection.close()
    wait_until(lambda: inside(service, "mvsam_scene") == 0)
    assert ask(service, SCENES, click(encoded, 0))[0] == 200


@pytest.mark.parametrize("given", ["", TOKEN, "Bearer wrong", "Bearer \xff"])
def test_without_its_token_nobody_is_told_or_served(service: Served, given: str):
    for path, method in ((INFER, "POST"), ("/v2", "GET"), ("/v2/models/mvsam", "GET")):
        status, headers, body = ask(service, path, b"{}", method, authorization=given)
        assert status == 401 and headers["WWW-Authenticate"] == "Bearer"
        assert "no valid token" in json.loads(body)["error"]


def test_a_token_has_the_same_quota_over_http(service: Served):
    answers = [ask(service, SCENES, click("0" * 32, 0), authorization=f"Bearer {RARE}") for _ in range(2)]
    assert [answer[0] for answer in answers] == [404, 503]
    assert answers[1][1]["Retry-After"] == "1" and "more than 1 requests a minute" in answers[1][2].decode()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v2/models/pi3/infer", "POST", 404),
        ("/v2/models/%2Fetc%2Fpasswd/infer", "POST", 404),
        ("/v2/models/%ED%A0%80/infer", "POST", 404),
        ("/v2/models/pi3", "GET", 404),
        ("/v2/models/mvsam/versions/2/infer", "POST", 404),
        ("/v2/models/mvsam/versions/9", "GET", 404),
        ("/v2/models/mvsam/versions/9/ready", "GET", 404),
        ("/v2/models/mvsam/versions/%2E%2E", "GET", 404),
        ("/v2/models/mvsam/infer", "GET", 405),
        ("/v2/models/mvsam/generate", "POST", 404),
        ("/v2/repository/index", "POST", 404),
        ("/v2/repository/models/pi3/unload", "POST", 404),
        ("/v2/logging", "GET", 404),
        ("/v2/trace/setting", "GET", 404),
        ("/v2/systemsharedmemory/status", "GET", 404),
        ("/v2/cudasharedmemory/status", "GET", 404),
        ("/", "GET", 404),
        ("/metrics", "POST", 405),
    ],
)
def test_inner_models_and_control_are_not_there(service: Served, path: str, method: str, status: int):
    answered, headers, body = ask(service, path, b"{}", method)
    assert answered == status and headers["Content-Type"].startswith("application/json")
    assert json.loads(body).keys() == {"error"} and not INTERNALS.search(body.decode())
    assert "aiohttp" not in str(headers)


def points(**changes: Any) -> bytes:
    """One input, and nothing else of a request."""
    tensor = {"name": "POINTS", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}
    return json.dumps({"inputs": [tensor | changes]}).encode()


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (b"", {}, "not valid JSON at line 1"),
        (PHOTOGRAPH, {}, "not JSON in UTF-8"),
        (b"[" * 100_000, {}, "nested too deeply"),
        (points(data=["1", "2"]), {}, "'POINTS' has values that FP32 cannot hold"),
        (points(shape=[1, 1, 3]), {}, "POINTS has 8 bytes; FP32 of shape"),
        (points(shape=[1, 2]), {}, r"POINTS has the shape \[1, 2\]; send \[any, any, 2\]"),
        (points(name="CLICKS"), {}, "mvsam has no input 'CLICKS'; its inputs are IMAGES"),
        (
            points(parameters={"shared_memory_region": "a", "shared_memory_byte_size": 8}),
            {},
            "shared memory is not for clients",
        ),
        (points(), {"Inference_Header_Content_Length": "10"}, "not valid JSON at line 1"),
        (points(), {"Inference_Header_Content_Length": "-1"}, "Inference-Header-Content-Length is not a number"),
        (points(), {"Inference_Header_Content_Length": "9" * 5000}, "Inference-Header-Content-Length is not a number"),
        (points(), {"Inference_Header_Content_Length": "100000"}, "Inference-Header-Content-Length is 100000"),
        (b" " * 2**20 + points(), {}, "send large tensors as binary data"),
        (points(), {"Content_Encoding": "gzip"}, "compressed; send it uncompressed"),
        (points(), {"Content_Length": str(2**32)}, "send fewer or smaller photographs"),
        (points(), {"traceparent": "\xe9", "tracestate": "a" * 5000}, "IMAGES is missing; send it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_body_is_refused_with_a_remedy_and_harms_no_other(
    service: Served, encoded: str, body: bytes, headers: dict[str, str], says: str
):
    status, _, text = ask(service, INFER, body, **headers)
    error = json.loads(text)["error"]
    assert status == 400, error
    assert re.search(says, error) and not INTERNALS.search(error), error
    assert ask(service, SCENES, click(encoded, 0))[0] == 200


def test_tensors_and_versions_that_a_model_does_not_have_are_told_which_there_are(service: Served):
    for path, says in (
        (INFER, "IMAGES is missing; send it, BYTES of shape [any]"),
        ("/v2/models/mvsam/versions/9/infer", "mvsam has no version '9'; name none, or 1"),
    ):
        assert json.loads(ask(service, path, b'{"inputs": []}')[2])["error"] == says


def test_grpc_on_this_port_leaves_no_traceback_in_the_log(service: Served):
    with (
        tritonclient.grpc.InferenceServerClient(service.http_url) as client,
        pytest.raises(InferenceServerException),
    ):
        client.get_server_metadata()
    assert "Traceback" not in service.log() and "aiohttp" not in service.log()


def test_a_body_in_chunks_is_asked_for_in_one_piece(service: Served):
    with contextlib.closing(http.client.HTTPConnection(service.http_url, timeout=60)) as connection:
        connection.request("POST", INFER, iter([points()]), HEADERS)
        answer = connection.getresponse()
        assert answer.status == 400 and b"no Content-Length" in answer.read()


def test_what_clients_saw_is_what_is_counted(service: Served, encoded: str):
    line = 'mvsam_requests_total{action="%s",model="mvsam_scene",status="%s"}'
    counted = [line % pair for pair in (("segment", "OK"), ("segment", "INVALID_ARGUMENT"), ("", "INVALID_ARGUMENT"))]
    before = [service.metric(each) for each in counted]
    assert [ask(service, SCENES, body)[0] for body in (click(encoded, 0), click(encoded, 9), b"{")] == [200, 400, 400]
    assert [service.metric(each) - then for each, then in zip(counted, before, strict=True)] == [1, 1, 1]


@pytest.fixture
def ending(demo_repository: Path, tmp_path: Path) -> Iterator[Served]:
    """A service for a test to end."""
    with served(demo_repository, tmp_path / "triton.log", "--drain-within=60") as service:
        yield service


def test_at_its_end_what_is_inside_is_answered_and_nothing_new(ending: Served):
    body, length = encoding([PHOTOGRAPH, TURNED] * 10)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(ask(ending, SCENES, body, Inference_Header_Content_Length=length))
    )
    asking.start()
    wait_until(lambda: inside(ending, "mvsam_scene") == 1)
    ending.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not ending.is_ready())
    status, headers, text = ask(ending, SCENES, click("0" * 32, 0))
    assert (status, headers["Retry-After"]) == (503, "1") and b"not ready" in text
    asking.join(PATIENCE)
    assert answers[0][0] == 200 and len(outputs(answers[0][2])["SCENE"][0]) == 32
    assert ending.process.wait(PATIENCE) == 0
