"""The baseline: SAM2-Video, which carries one click from frame to frame, and SAM2's image decoder, asked in every view.

It is the `sam2` package's own predictor around the preset's image encoder, with seeded weights. What it needs no
torchvision for is all that is used of it.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mvsam.evaluation.sam2_predictor import video_predictor, without_progress_bars
from mvsam.evaluation.speed.cases import Case, Task
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way, in_words, with_threads
from mvsam.networks.presets import Precision, Preset

OBJECT = 1
HEIGHT, WIDTH = 540, 960  # of the frames; masks are returned at that size


class Sam2Video:
    """A video of noise that has been read, and the features of its frames."""

    def __init__(self, preset: Preset, frames: int, device: torch.device) -> None:
        self.frames = frames
        self.device = device
        self.predictor = video_predictor(preset).to(device)
        self._state = self._read()
        ((_, (image, first)),) = self._state["cached_features"].items()
        # A camera that pans: features of the right statistics for every frame, at no cost. What encodes positions is
        # the same for all.
        self._features = {
            frame: (
                image,
                {
                    "backbone_fpn": [_panned(level, frame) for level in first["backbone_fpn"]],
                    "vision_pos_enc": first["vision_pos_enc"],
                },
            )
            for frame in range(frames)
        }

    def begin(self, *, cached: bool) -> None:
        """Forgets all clicks and masks; of the features, keeps those of every frame or of none."""
        self.predictor.reset_state(self._state)
        self._state["cached_features"] = dict(self._features) if cached else {}

    def propagate(self) -> Tensor:
        """Mask logits (frames, 540, 960) of a click on the first frame."""
        click = np.array([[WIDTH / 2, HEIGHT / 2]], dtype=np.float32)
        with without_progress_bars():
            self.predictor.add_new_points(
                self._state, frame_idx=0, obj_id=OBJECT, points=click, labels=np.array([1], dtype=np.int32)
            )
            return torch.cat([masks[:, 0] for _, _, masks in self.predictor.propagate_in_video(self._state)])

    @torch.inference_mode()
    def decode(self, views: int) -> Tensor:
        """Mask logits (views, 4E, 4E) of SAM2's image decoder, given a click in every view, one view after another."""
        predictor, device = self.predictor, self.device
        side = predictor.image_size
        click = torch.full((1, 1, 2), side / 2, device=device), torch.ones(1, 1, dtype=torch.int32, device=device)
        masks = []
        for view in range(views):
            _, features = self._features[view % self.frames]
            high_res_0, high_res_1, embedding = features["backbone_fpn"]
            sparse, dense = predictor.sam_prompt_encoder(points=click, boxes=None, masks=None)
            found, _, _, _ = predictor.sam_mask_decoder(
                image_embeddings=embedding + predictor.no_mem_embed.reshape(1, -1, 1, 1),
                image_pe=predictor.sam_prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
                repeat_image=False,
                high_res_features=[high_res_0, high_res_1],
            )
            masks.append(found[:, 0])
        return torch.cat(masks)

    def _read(self) -> dict[str, Any]:
        """The predictor's state of a video of noise."""
        rng = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as folder, without_progress_bars():
            for frame in range(self.frames):
                coarse = rng.integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), dtype=np.uint8)
                image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
                image.save(Path(folder) / f"{frame:05d}.jpg")
            return self.predictor.init_state(folder)


def its_precisions(precisions: Iterable[Precision]) -> list[Precision]:
    """What SAM2 is run at beside networks of these precisions: BF16 autocast, as its authors run it, where they are
    reduced; under FP16 its BF16 memories cannot be joined with the rest."""
    return list(dict.fromkeys(each if each is Precision.FP32 else Precision.BF16 for each in precisions))


def baseline_subjects(
    video: Sam2Video,
    precisions: Sequence[Precision],
    views: Sequence[int],
    threads: Sequence[int | None],
    *,
    encoded: bool,
) -> Iterator[Subject]:
    """Propagation over the video, and the image decoder for every number of views.

    Args:
        video: ready.
        precisions: of `its_precisions`.
        views: for the image decoder.
        threads: to try; the last is the most.
        encoded: whether propagation is also timed with the encoding of each frame, with the most threads.
    """

    for precision, count in itertools.product(precisions, threads):
        subject = partial(_subject, video, precision, count)
        yield subject(Case(Task.PROPAGATION, video.frames, prompts=1), video.propagate)
        if encoded and count == threads[-1]:
            yield subject(Case(Task.ENCODED_PROPAGATION, video.frames, prompts=1), video.propagate, cached=False)
        for number in views:
            yield subject(Case(Task.IMAGE_DECODER, number, prompts=1), partial(video.decode, number))


def _subject(
    video: Sam2Video,
    precision: Precision,
    threads: int | None,
    case: Case,
    compute: Callable[[], Tensor],
    *,
    cached: bool = True,
) -> Subject:
    begin = with_threads(threads)

    def before() -> None:
        begin()
        video.begin(cached=cached)

    def call() -> Outputs:
        with torch.autocast(video.device.type, dtype=torch.bfloat16, enabled=precision is Precision.BF16):
            compute()
        return []

    return Subject(case, Way("PyTorch eager", precision, in_words(threads, "the sam2 package")), call, before)


def _panned(features: Tensor, columns: int) -> Tensor:
    """Moved to the right, in the layout that the encoder gave them."""
    return torch.empty_like(features).copy_(features.roll(columns, -1))
