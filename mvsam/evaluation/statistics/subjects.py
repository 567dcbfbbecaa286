"""What is timed: the features of a scene, and one click in all of its frames; of MV-SAM and of SAM2-Video."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mvsam.evaluation.speed.cases import Case, Task, chunks, gathered, part
from mvsam.evaluation.speed.offers import FAMILIES, Offer, Workbench
from mvsam.evaluation.speed.sam2_video import HEIGHT, WIDTH, Sam2Video, baseline_subjects
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way, in_words, with_threads
from mvsam.networks.graphs import FEATURES, GRAPHS
from mvsam.networks.presets import Precision, Preset
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import POSITIVE, Geometry, Prompts

RUNTIMES = ("eager", "onnxruntime")  # of `offers.FAMILIES`


class Footage:
    """Frames of noise as both methods take them, each frame as large as SAM2-Video's.

    Args:
        preset: sizes.
        frames: of the scene.
        device: of PyTorch.
        threads: of a CPU.
        seeded: names of networks with random weights.
        weights: folder of the others.
        graphs: folder of exported graphs, by preset.
    """

    def __init__(
        self,
        preset: Preset,
        frames: int,
        device: torch.device,
        *,
        threads: int,
        seeded: list[str],
        weights: Path,
        graphs: Path,
    ) -> None:
        patch = preset.pi3.patch
        self.preset = preset
        self.frames = frames
        self.layout = Layout.of([(HEIGHT, WIDTH)] * frames, preset.geometry_pixels, patch=patch)
        height, width = self.layout.size
        self.bench = Workbench(
            preset,
            device,
            threads=[threads],
            seeded=seeded,
            weights=weights,
            graphs=graphs / preset.name,
            engines=Path(),
            views=dict.fromkeys(GRAPHS, frames),
            prompts=1,
            patches=(height // patch, width // patch),
        )

    def mvsam(self, family: str) -> Iterator[Subject]:
        """Pre-processing, and a click in every setting that decodes it.

        Raises:
            UnavailableError: the runtime cannot compute the graphs here.
            CheckpointError, ArtifactError: weights or graphs are missing or not what they were.
        """
        offers = {name: list(FAMILIES[family](self.bench, graph, Precision.FP32)) for name, graph in GRAPHS.items()}
        yield self._preparation({name: several[0] for name, several in offers.items()})
        scene = self._normalized(self._made_geometry())
        for offer in offers["mask_decoder"]:
            for at_once in sorted({1, self.frames}):
                yield self._query(offer, scene, at_once)

    def sam2_video(self) -> Iterator[Subject]:
        """Likewise, by the `sam2` package."""
        graph = GRAPHS["sam2_encoder"]
        video = Sam2Video(self.preset, self.frames, self.bench.device)
        images = self.bench.inputs(graph, Precision.FP32)["images"].to(self.bench.device)
        threads = self.bench.choices(graph)
        yield Subject(
            Case(Task.ENCODER, self.frames),
            Way("PyTorch eager", Precision.FP32, in_words(threads[-1], "1 frame at a time, the sam2 package")),
            lambda: encode_frames(video, images),
            with_threads(threads[-1]),
        )
        yield from baseline_subjects(video, [Precision.FP32], [], threads, encoded=False)

    def _preparation(self, offers: Mapping[str, Offer]) -> Subject:
        """π³ over all views, the pointmap normaliser, then encoder and point embedder for one view after the other."""
        geometry, encoder, embedder = (offers[name] for name in ("pi3", "sam2_encoder", "point_embedder"))
        case = Case(Task.SCENE, self.frames)
        images = list(chunks(encoder.graph, encoder.inputs, case, at_once=1))

        def call() -> Outputs:
            found = gathered([geometry.runtime.run(geometry.inputs)])
            scene = self._normalized(Geometry.of(found["points"].numpy(), found["confidence"].numpy()))
            cells = embedder.runtime.place(
                {
                    "grid_points": torch.from_numpy(scene.grid_points),
                    "grid_low_confidence": torch.from_numpy(scene.grid_low_confidence),
                }
            )
            outputs: list[Mapping[str, Any]] = []
            for view, image in enumerate(images):
                features = encoder.runtime.run(image)
                embedding = {"image_embedding": features["image_embedding"]}
                own = part(embedder.graph, cells, views=slice(view, view + 1))
                outputs += [features, embedder.runtime.run(embedding | own)]
            return outputs

        return _subject(case, encoder, "1 view at a time", call)

    def _query(self, offer: Offer, scene: NormalizedScene, at_once: int) -> Subject:
        """A click in the first frame, lifted and decoded in all views; logits as large as the frames."""
        graph, runtime = offer.graph, offer.runtime
        case = Case(Task.CLICK, self.frames, prompts=1)
        features = {name: x for name, x in offer.inputs.items() if name in FEATURES}
        pieces = list(chunks(graph, features, case, at_once))
        click = Prompts.of([[[WIDTH / 2, HEIGHT / 2]]], [[POSITIVE]], [[0]])

        def call() -> Outputs:
            lifted = {name: torch.from_numpy(x) for name, x in vars(scene.lift(click)).items()}
            placed = runtime.place(lifted)
            masks: list[Mapping[str, Any]] = []
            for index, piece in enumerate(pieces):
                views = slice(index * at_once, (index + 1) * at_once)
                logits = torch.as_tensor(runtime.run(piece | part(graph, placed, views=views))["mask_logits"])
                masks.append({"mask_logits": F.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear")})
            return masks

        return _subject(case, offer, "1 view at a time" if at_once == 1 else "all views at once", call)

    def _normalized(self, geometry: Geometry) -> NormalizedScene:
        layout = self.layout
        return NormalizedScene.of(geometry, layout.image_sizes, layout.geometry_rects, grid_side=self.preset.grid_side)

    def _made_geometry(self) -> Geometry:
        """Pointmaps of noise: what a click costs does not depend on them."""
        rng = np.random.default_rng(0)
        shape = self.frames, *self.layout.size
        return Geometry.of(rng.standard_normal((*shape, 3), np.float32), rng.random(shape, np.float32))


@torch.inference_mode()
def encode_frames(video: Sam2Video, images: torch.Tensor) -> list[Mapping[str, Any]]:
    """SAM2-Video's features of every frame, one after the other.

    Args:
        video: whose predictor encodes.
        images: [frames, 3, side, side], normalised.
    """
    return [video.predictor.forward_image(image[None]) for image in images]


def _subject(case: Case, offer: Offer, views: str, call: Any) -> Subject:
    setting = in_words(offer.threads, views, offer.detail)
    return Subject(case, Way(offer.name, Precision.FP32, setting), call, with_threads(offer.threads))
