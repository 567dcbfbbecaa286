"""Triton model `mvsam_scene`: see config.pbtxt beside this folder."""

import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from mvsam.networks import presets
from mvsam.pipeline.errors import RequestError, quoted
from mvsam.pipeline.limits import Limits
from mvsam.runtime.bls import TritonSession
from mvsam.runtime.cancellations import Cancellations
from mvsam.runtime.freed_memory import give_back
from mvsam.runtime.scene_metrics import SceneMetrics
from mvsam.runtime.segmenter import Session
from mvsam.runtime.sessions import AT_ONCE, load
from mvsam.runtime.triton import (
    Request,
    StreamedReply,
    check_one_instance,
    encoding,
    geometry,
    parameters,
    positive,
    prompts,
    whole_number,
)
from mvsam.scenes.answers import Answers
from mvsam.scenes.cache import SceneCache
from mvsam.scenes.decoding import Decoder
from mvsam.scenes.encoding import SceneEncoder
from mvsam.scenes.projection import ProjectionSession
from mvsam.scenes.service import SceneService

SWITCH_INTERVAL = 0.0005  # seconds: a thread that answers must not wait long for others of ours


class TritonPythonModel:
    """Hands every request to the service at once, so that none waits for another's work."""

    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # several threads call it at once
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._ended = threading.Event()
        give_back(self._ended)  # of scenes that are closed
        given = parameters(args)
        self._cancellations = Cancellations()
        number = partial(whole_number, given)
        check_one_instance(args)
        embedder, mask_decoder = _decoder(given, Path(args["model_repository"]))
        encoder = SceneEncoder(
            TritonSession("pi3", ("points", "confidence", "camera_poses")),
            TritonSession("sam2_encoder", ("image_embedding", "high_res_0", "high_res_1")),
            embedder,
            encoder_side=number("encoder_side", multiple_of=16),
            geometry_pixels=number("geometry_pixels"),
            chunk=number("encode_views"),
            keep=getattr(mask_decoder, "keep", dict),
            view_bytes=number("encode_view_bytes"),
            most_bytes=number("max_encode_bytes"),
        )
        decoder = Decoder(
            mask_decoder,
            threads=AT_ONCE[given["runtime"]],
            most_masks=number("decode_masks"),
            most_objects=number("decode_objects"),
            most_waiting=number("waiting_clicks"),
            patience=number("waiting_seconds"),
        )
        cache = SceneCache(number("max_scene_bytes"), number("max_scenes"), number("scene_seconds"))
        self._metrics = SceneMetrics(cache, decoder)
        self._service = SceneService(
            encoder,
            decoder,
            cache,
            Answers(number("max_answer_bytes")),
            Limits.from_parameters(given),
            encodes=number("encodes_at_once"),
            most_waiting=number("waiting_encodes"),
        )

    def execute(self, requests: list[Any]) -> None:
        for request in requests:
            reply = StreamedReply(request, "mvsam_scene")
            if reply.is_to_probe:
                reply.end()
                continue
            self._cancellations.watch(reply)
            try:
                self._start(Request(request, outlived=True), reply)
            except Exception as error:
                reply.end(error)

    def finalize(self) -> None:
        self._ended.set()
        self._metrics.close()
        self._service.shut_down()

    def _start(self, request: Request, reply: StreamedReply) -> None:
        match request.text("ACTION"):
            case "encode":
                self._service.encode(list(request["IMAGES"]), geometry(request), reply)
            case "segment":
                name, previous = request.text("SCENE"), request.text_or_none("PREVIOUS")
                self._service.segment(name, prompts(request), encoding(request), reply, previous)
            case "add":
                self._service.add(request.text("SCENE"), list(request["IMAGES"]), geometry(request), reply)
            case "remove":
                self._service.remove(request.text("SCENE"), request["VIEWS"], reply)
            case "describe":
                self._service.describe(request.text("SCENE"), reply, request.get("VIEWS"))
            case "close":
                self._service.forget(request.text("SCENE"), reply)
            case "cancel":
                self._cancellations.cancel(request.text("REQUEST"))
                reply.end()
            case other:
                raise RequestError(f"ACTION is {quoted(other)}; give encode, segment, add, remove, describe or close")


def _decoder(given: Mapping[str, str], own: Path) -> tuple[Session | None, Session]:
    """What embeds a scene's points, if anything does, and what turns clicks into masks."""
    # Views are independent: on a CPU a core for each is faster than all cores for one.
    if given["decoder"] == presets.Decoder.PROJECTION:
        tolerance = positive(given, "projection_tolerance")
        return None, ProjectionSession(load("onnxruntime", own / "1" / presets.SAM2_DECODER, threads=1), tolerance)
    models, runtime = own.parent, given["runtime"]
    return load(runtime, models / "point_embedder" / "1"), load(runtime, models / "mask_decoder" / "1", threads=1)
