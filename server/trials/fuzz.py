"""Seeded random requests, over the network and against the validators: none may kill, hang or betray anything."""

import random
import threading
import time
from collections import Counter, deque
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2_grpc

from mvsam.pipeline.checks import check_prompt_limits, check_request
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import Geometry, Prompts
from mvsam_client import Click, Client
from mvsam_client.errors import split_status
from server.doorman import Refused
from server.parameters import check_parameters
from server.tensors import check_tensors
from server.trials.figures import Trial, milliseconds
from server.trials.latency import photographs
from server.trials.load import together
from server.trials.questions import Questioner, is_leak
from server.trials.random_requests import Tensors, random_request, random_tensors
from server.trials.running import Served
from server.trials.traffic import Traffic

EXPECTED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNAVAILABLE"}
WORKERS = 4
RENEWED = 50  # requests with one scene to be thrown away
DEADLINE = 60.0
PHOTOGRAPH = photographs(1, height=12, width=16)[0]
PINGING = [  # by a client that keeps its connection alive more eagerly than is usual
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def network(service: Served, count: int, trial: Trial) -> None:
    """Random requests by several clients; the service must answer well in between and afterwards."""
    restarts, left = service.restarts(), iter(range(count))
    statuses: Counter[str] = Counter()
    leaks: list[str] = []
    times: list[float] = []
    lock = threading.Lock()
    traffic = Traffic(service.grpc_url, clickers=1, senders=0)
    client = Client(service.grpc_url, retries=0, reencode=False)
    scene = client.encode([PHOTOGRAPH] * 3)
    answer = scene.segment(points=[Click(0, 5, 5)]).answer
    thrown_away = deque([client.encode([PHOTOGRAPH] * 3).id], maxlen=1)  # to be changed and closed

    def work(number: int) -> None:
        with grpc.insecure_channel(service.grpc_url, options=PINGING) as channel:
            stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while True:
                with lock:
                    seed = next(left, None)
                if seed is None:
                    return
                began = time.monotonic()
                status, text = _sent(stub, random_request(seed, PHOTOGRAPH, scene.id, thrown_away[0], answer))
                if seed % RENEWED == 0:
                    thrown_away.append(client.encode([PHOTOGRAPH] * 3).id)
                with lock:
                    times.append(time.monotonic() - began)
                    statuses[status] += 1
                    if is_leak(text):
                        leaks.append(f"{seed}: {text[:200]}")
                    if status not in EXPECTED:
                        trial.figures.setdefault("unexpected answers", []).append(f"{seed}: {status} {text[:120]}")

    questioner = Questioner(service)
    with traffic.flowing():
        together(WORKERS, work)
    questioner.close("random ones beside random requests", trial)
    traffic.close()
    scene.close()
    client.close()
    beside, lost = traffic.kinds(), service.restarts() - restarts
    trial.figures["fuzz, statuses"] = dict(statuses)
    trial.figures["fuzz, ms"] = milliseconds(times)
    trial.expect(
        f"{count} random requests over the network: no process lost, no path or traceback in any error",
        f"{lost:g} lost, {len(leaks)} leaks {leaks[:1] or ''}; {dict(statuses)}",
        not lost and not leaks and set(statuses) <= EXPECTED and statuses.total() == count,
    )
    trial.expect(
        "clicks beside them are answered as ever", f"{dict(beside)}", set(beside) == {"answered"} and traffic.answers()
    )


def validators(count: int, trial: Trial) -> None:
    """Random tensors against everything that looks at a request before a network does."""
    outcomes: Counter[str] = Counter()
    for seed in range(count):
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        try:
            if seed % 2:
                request = random_request(seed, PHOTOGRAPH, "", "", "")
                check_tensors(request)
                check_parameters(request)
            else:
                validate(random_tensors(rng, noise, PHOTOGRAPH))
            outcomes["accepted"] += 1
        except (RequestError, Refused) as error:
            outcomes["leak" if is_leak(str(error)) else "refused"] += 1
        except Exception as error:
            outcomes[f"{type(error).__name__}"] += 1
            trial.figures.setdefault("validators, failures", []).append(f"{seed}: {error!r}"[:200])
    trial.figures["validators"] = dict(outcomes)
    trial.expect(
        f"{count} random requests against the validators: accepted, or refused by a message fit for clients",
        f"{dict(outcomes)}",
        set(outcomes) == {"accepted", "refused"},
    )


def validate(tensors: Tensors) -> None:
    """A request's way to the decoder, without networks.

    Raises:
        RequestError: it is no good.
    """
    photographs = [bytes(each) for each in tensors["IMAGES"].reshape(-1)] if "IMAGES" in tensors else []
    limits = Limits(max_views=8, max_image_pixels=10_000)
    geometry = None
    if "points" in tensors and "confidence" in tensors:
        geometry = Geometry.of(tensors["points"], tensors["confidence"], tensors.get("VALID"))
    prompts = Prompts.of(
        *(tensors.get(name) for name in ("POINTS", "POINT_LABELS", "POINT_VIEWS")),
        boxes=tensors.get("BOXES"),
        box_objects=tensors.get("BOX_OBJECTS"),
        box_views=tensors.get("BOX_VIEWS"),
        masks=[bytes(each) for each in tensors["PROMPT_MASKS"].reshape(-1)] if "PROMPT_MASKS" in tensors else None,
        mask_objects=tensors.get("MASK_OBJECTS"),
        mask_views=tensors.get("MASK_VIEWS"),
    )
    if "ENCODING" in tensors and tensors["ENCODING"].size and tensors["ENCODING"].dtype == object:
        MaskEncoding.of(tensors["ENCODING"].reshape(-1)[0])
    headers = check_request(photographs, prompts, limits, geometry)
    check_prompt_limits(prompts, limits)
    if geometry is not None:
        layout = Layout.of([header.size for header in headers], 255_000, geometry)
        scene = NormalizedScene.of(geometry, layout.image_sizes, layout.geometry_rects, grid_side=4)
        scene.lift(prompts)


def _sent(stub: Any, message: Any) -> tuple[str, str]:
    """Status and text of the answer."""
    try:
        if message.model_name != "mvsam_scene":
            stub.ModelInfer(message, timeout=DEADLINE)
            return "OK", ""
        refusals = [part.error_message for part in stub.ModelStreamInfer(iter([message]), timeout=DEADLINE)]
        told = next((text for text in refusals if text), None)
        if told is None:
            return "OK", ""
        return split_status(told)[0], told  # the whole text: what a client's library would hide counts too
    except grpc.RpcError as error:
        failed: Any = error
        return failed.code().name, failed.details() or ""
