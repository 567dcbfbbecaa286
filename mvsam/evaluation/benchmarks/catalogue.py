"""Methods by name, with their networks: what `--methods` offers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mvsam.evaluation.ablations.rival import load_rival
from mvsam.evaluation.ablations.variants import PRESET as RIVAL_PRESET
from mvsam.evaluation.benchmarks.caching import CachedEncoder
from mvsam.evaluation.benchmarks.methods.distance import Distance
from mvsam.evaluation.benchmarks.methods.image_positions import ImagePositionsSession
from mvsam.evaluation.benchmarks.methods.method import Method
from mvsam.evaluation.benchmarks.methods.mvsam import MvSam
from mvsam.evaluation.benchmarks.methods.reprojection import Form, Projection
from mvsam.evaluation.benchmarks.methods.sam2_video import Sam2VideoMethod
from mvsam.evaluation.benchmarks.methods.triton import Triton
from mvsam.evaluation.benchmarks.published import MV_SAM, PROJECTION, SAM2_VIDEO
from mvsam.evaluation.benchmarks.results import RunError
from mvsam.evaluation.sam2_predictor import official_checkpoint
from mvsam.networks.checkpoints import WeightSource, load_network
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.pins import check_pin
from mvsam.networks.presets import SAM2_DECODER, Preset
from mvsam.runtime.artifacts import verified
from mvsam.runtime.onnx import OnnxSession
from mvsam.runtime.pytorch import PyTorchSession
from mvsam.runtime.segmenter import Session
from mvsam.scenes.encoding import SceneEncoder
from mvsam_client import Client

CHUNK = 8  # views that the encoder is given at a time


@dataclass(frozen=True)
class Offer:
    """A method ready to run.

    Attributes:
        method: it.
        paper_name: its name in the paper's tables; empty where its weights are random or the paper has none like it.
        weights: what its results depend on besides the code.
    """

    method: Method
    paper_name: str
    weights: Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """Where networks come from.

    Attributes:
        preset: sizes.
        weights: directory of weights.
        graphs: folder of exported graphs, for ONNX Runtime.
        server: HOST:PORT of a running server, for Triton.
        server_weights: what it computes with, as whoever started it says.
        cache: folder of kept features and pointmaps; None keeps none.
        device: where PyTorch computes.
        vggt: an exported graph of VGGT or its state dict, where it is asked for.
    """

    preset: Preset
    weights: Path
    graphs: Path
    server: str | None
    server_weights: str
    cache: Path | None
    device: str = "cpu"
    vggt: Path | None = None

    def pytorch(self, graph: str) -> tuple[Session, dict[str, Any]]:
        """A graph's network from its weights, and what is known of them.

        Raises:
            CheckpointError: they are not there, or do not fit.
        """
        if graph == SAM2_DECODER:
            from mvsam.networks import image_decoder  # and with it the `sam2` package

            declared = image_decoder.GRAPH
        else:
            declared = GRAPHS[graph]
        network, known = load_network(self.preset, declared.network, WeightSource.FILES, self.weights)
        return PyTorchSession(declared, network, device=self.device), known

    def onnx(self, graph: str) -> tuple[Session, dict[str, Any]]:
        """An exported graph, and what is known of its weights.

        Raises:
            ArtifactError: it is not there, or is not what its manifest names.
        """
        folder = self.graphs / graph
        return OnnxSession(folder), verified(folder)["weights"]

    def encoder(self, load: Callable[[str], tuple[Session, dict[str, Any]]]) -> tuple[Session, dict[str, Any]]:
        """The image encoder, whose features are kept where there is a cache."""
        session, known = load("sam2_encoder")
        if self.cache is not None and known["trained"]:
            session = CachedEncoder(session, self.cache / "features", known["sha256"])
        return session, known


def triton(sources: Sources) -> Offer:
    """MV-SAM as served.

    Raises:
        RunError: no server is named.
    """
    if sources.server is None:
        raise RunError("method triton needs --server HOST:PORT of a running server; `make evaluate` starts one")
    method = Triton("MV-SAM (Triton)", Client(sources.server))
    return Offer(method, MV_SAM, {"server": sources.server_weights})


def in_process(sources: Sources, runtime: str, *, fuses_views: bool = False) -> Offer:
    """MV-SAM in this process, its logits averaged over the views or not."""
    load = sources.pytorch if runtime == "PyTorch" else sources.onnx
    pi3, geometry = load("pi3")
    encoder, features = sources.encoder(load)
    embedder, _ = load("point_embedder")
    decoder, known = load("mask_decoder")
    preset = sources.preset
    scenes = SceneEncoder(
        pi3,
        encoder,
        embedder,
        encoder_side=preset.encoder.side,
        geometry_pixels=preset.geometry_pixels,
        chunk=CHUNK,
        fuses_views=fuses_views,
    )
    weights = {"pi3": geometry, "sam2_encoder": features, "mask_decoder": known}
    trained = all(each["trained"] for each in weights.values())
    name = f"MV-SAM ({runtime}{', views fused' if fuses_views else ''})"
    return Offer(MvSam(name, scenes, decoder), MV_SAM if trained and not fuses_views else "", weights)


def sam2_video(sources: Sources) -> Offer:
    """SAM2-Video of the `sam2` package."""
    method = Sam2VideoMethod.from_preset(sources.preset, sources.weights, torch.device(sources.device))
    checkpoint = official_checkpoint(sources.preset, sources.weights)
    if checkpoint is None:
        return Offer(method, "", {"sam2": "seeded random"})
    return Offer(method, SAM2_VIDEO, {"sam2": check_pin(sources.weights, checkpoint)})


def projection(sources: Sources, form: Form) -> Offer:
    """Clicks carried to all views, and SAM2's image decoder in each."""
    encoder, features = sources.encoder(sources.pytorch)
    decoder, known = sources.pytorch(SAM2_DECODER)
    method = Projection(f"Prompt Projection, {form}", encoder, decoder, sources.preset.encoder.side, form)
    weights = {"sam2_encoder": features, SAM2_DECODER: known}
    return Offer(method, PROJECTION if form is Form.CAMERAS else "", weights)


def image_positions(sources: Sources, form: Form) -> Offer:
    """The trained decoder with places in the picture; of the demo preset only.

    Raises:
        RunError: another preset is asked for.
    """
    if sources.preset != RIVAL_PRESET:
        raise RunError(f"the decoder with 2-D positions is trained for the preset {RIVAL_PRESET.name} only")
    encoder, features = sources.encoder(sources.pytorch)
    decoder, digest = load_rival(sources.weights)
    method = Projection(
        f"2-D PE, clicks {form}", encoder, ImagePositionsSession(decoder), RIVAL_PRESET.encoder.side, form
    )
    return Offer(method, "", {"sam2_encoder": features, "decoder": digest})


def distance(_sources: Sources) -> Offer:
    """A ball around the clicks."""
    method = Distance("Ball around the clicks")
    return Offer(method, "", {"radius": method.radius})


METHODS: dict[str, Callable[[Sources], Offer]] = {
    "triton": triton,
    "pytorch": lambda sources: in_process(sources, "PyTorch"),
    "pytorch-fused": lambda sources: in_process(sources, "PyTorch", fuses_views=True),
    "onnxruntime": lambda sources: in_process(sources, "ONNX Runtime"),
    "sam2-video": sam2_video,
    "projection": lambda sources: projection(sources, Form.CAMERAS),
    "projection-nearest": lambda sources: projection(sources, Form.NEAREST_POINT),
    "2d": lambda sources: image_positions(sources, Form.CAMERAS_HELD),
    "2d-nearest": lambda sources: image_positions(sources, Form.NEAREST_POINT),
    "distance": distance,
}
