"""SAM2-Video: the photographs are frames of a video, through which the `sam2` package's predictor carries clicks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from mvsam.evaluation.benchmarks.methods.answers import Size
from mvsam.evaluation.benchmarks.scenes import Click
from mvsam.evaluation.geometry.pointmaps import Pointmaps
from mvsam.evaluation.sam2_predictor import (
    official_checkpoint,
    official_video_predictor,
    video_predictor,
    without_progress_bars,
)
from mvsam.networks.presets import Preset
from mvsam.pipeline.images import decode_photograph

NAME = "SAM2-Video"
OBJECT = 1


class Sam2VideoMethod:
    """The method, in FP32. It knows nothing of geometry, and the order of the photographs matters to it.

    Args:
        predictor: the package's.
        device: where it computes.
        name: as tables call it.
    """

    needs_geometry = False

    def __init__(self, predictor: Any, device: torch.device, name: str = NAME) -> None:
        self.name = name
        self._predictor = predictor.to(device)

    @classmethod
    def from_preset(cls, preset: Preset, weights: Path, device: torch.device) -> Sam2VideoMethod:
        """With the official checkpoint, or with random weights, as the name then says.

        Args:
            preset: sizes.
            weights: directory that may hold the preset's official checkpoint.
            device: where to compute.

        Raises:
            CheckpointError: the checkpoint has changed since it was pinned, or does not fit.
        """
        checkpoint = official_checkpoint(preset, weights)
        if checkpoint is None:
            return cls(video_predictor(preset), device, f"{NAME} (random weights: timing only)")
        return cls(official_video_predictor(preset, weights, checkpoint), device)

    def prepare(self, photographs: Sequence[bytes], pointmaps: Pointmaps | None) -> PreparedVideo:
        """Reads the video and encodes every frame.

        Raises:
            RequestError: a photograph is damaged.
        """
        predictor, sizes = self._predictor, []
        with tempfile.TemporaryDirectory() as folder, without_progress_bars():
            for view, data in enumerate(photographs):
                photograph = decode_photograph(data, f"view {view}")
                sizes.append(photograph.shape[:2])
                square = Image.fromarray(photograph).resize((predictor.image_size, predictor.image_size))
                # The predictor resizes frames in just this way, so it leaves these as they are. It wants names of
                # JPEGs but goes by content: a bitmap loses nothing.
                square.save(Path(folder) / f"{view}.jpg", format="BMP")
            state = predictor.init_state(folder)
        # Frames of their own sizes: the predictor hands out its logits as they are, and they are resized here.
        state["video_height"] = state["video_width"] = predictor.image_size // 4
        self._encode(state)
        return PreparedVideo(predictor, state, sizes)

    @torch.inference_mode()
    def _encode(self, state: dict[str, Any]) -> None:
        """Fills the predictor's cache, which would hold the features of one frame only, with those of all."""
        kept = state["cached_features"]
        _, first = kept[0]
        for frame in range(1, state["num_frames"]):
            image = state["images"][frame][None]
            levels = self._predictor.forward_image(image)["backbone_fpn"]
            # What encodes positions is far larger than features, and the same for all frames.
            kept[frame] = image, {"backbone_fpn": levels, "vision_pos_enc": first["vision_pos_enc"]}


class PreparedVideo:
    """A video that has been read.

    Args:
        predictor: the package's.
        state: the predictor's, of this video.
        sizes: of the photographs.
    """

    def __init__(self, predictor: Any, state: dict[str, Any], sizes: Sequence[Size]) -> None:
        self._predictor, self._state, self._sizes = predictor, state, sizes

    def masks(self, clicks: Sequence[Click]) -> list[np.ndarray]:
        """Propagates from the first view that is clicked on to the last, then back to the first of all.

        Every view that is clicked on is known by then from its own clicks alone: where those are all negative, SAM2
        has to find the object without having been shown it.
        """
        predictor, state = self._predictor, self._state
        found: dict[int, Tensor] = {}
        predictor.reset_state(state)
        with without_progress_bars():
            for view in sorted({click.view for click in clicks}):
                self._click(view, [click for click in clicks if click.view == view])
            for reverse in (False, True):
                for view, _, logits in predictor.propagate_in_video(state, reverse=reverse):
                    found[view] = logits
        return [
            (interpolate(found[view], size, mode="bilinear", align_corners=False)[0, 0] > 0).cpu().numpy()
            for view, size in enumerate(self._sizes)
        ]

    def close(self) -> None:
        """Lets go of frames, features and memories."""
        self._state.clear()

    def _click(self, view: int, clicks: Sequence[Click]) -> None:
        height, width = self._sizes[view]
        centres = (np.array([(click.x, click.y) for click in clicks]) + 0.5) / (width, height)
        self._predictor.add_new_points_or_box(
            self._state,
            frame_idx=view,
            obj_id=OBJECT,
            # SAM2 adds half a pixel of its square itself.
            points=(centres - 0.5 / self._predictor.image_size).astype(np.float32),
            labels=np.array([click.positive for click in clicks], np.int32),
            normalize_coords=False,
        )
