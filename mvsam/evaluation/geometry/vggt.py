"""VGGT's pointmaps (Wang et al., CVPR 2025), out of its depth and its cameras.

VGGT also predicts points, but its authors find those of depth and cameras more accurate. It takes squares of 518
pixels: a whole photograph with its longer side at 518 and the other at the nearest multiple of 14, in the middle of
white. Its confidence is 1 + exp(x).

Code that goes with VGGT takes the ray of pixel u through u or through u + 0.5, by its version. With the principal point
in the middle of the picture only u + 0.5 is symmetric, and that is what is done here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mvsam.evaluation.geometry.cameras import camera_to_world
from mvsam.evaluation.geometry.depth import common_size, cut, resampled, unprojected
from mvsam.evaluation.geometry.pointmaps import GeometryError, Pointmaps
from mvsam.evaluation.geometry.pose_encoding import decoded_cameras
from mvsam.evaluation.geometry.provider import check_views, decoded, sizes_of
from mvsam.runtime.artifacts import ArtifactError
from mvsam.runtime.segmenter import Session

SIDE, PATCH = 518, 14
INPUT = "images"
OUTPUTS = ("pose_enc", "depth", "depth_conf")


@dataclass(frozen=True)
class VggtProvider:
    """A session with VGGT's inputs and outputs: `exported`, or `vggt_package.VggtPackage`.

    Attributes:
        session: takes `images`, float32 [1, N, 3, S, S] in [0, 1]; gives at least `pose_enc` [1, N, 9], `depth`
            [1, N, S, S, 1] and `depth_conf` [1, N, S, S].
        side: S, a multiple of 14.
        name: as tables call it.
    """

    session: Session
    side: int = SIDE
    name: str = "VGGT"

    @classmethod
    def exported(cls, folder: Path, threads: int | None = None) -> "VggtProvider":
        """Over a graph of ONNX, loaded only if the folder's manifest names its files' hashes.

        Args:
            folder: with model.onnx and manifest.json.
            threads: of ONNX Runtime; by default every core.

        Raises:
            GeometryError: the folder does not hold what its manifest says, or another graph.
        """
        from mvsam.runtime.onnx import OnnxSession

        try:
            session = OnnxSession(folder, threads)
        except ArtifactError as error:
            raise GeometryError(
                f"{folder} does not hold what its manifest.json names, or has none; export VGGT to model.onnx there, "
                'and name every file with its SHA-256 under "files"'
            ) from error
        missing = {INPUT, *OUTPUTS} - {*session.inputs, *session.outputs}
        if missing:
            raise GeometryError(
                f"{folder} holds no VGGT: its graph has no {', '.join(sorted(missing))}; export it with the names that "
                "VGGT's package gives its outputs"
            )
        return cls(session)

    def pointmaps(self, photographs: Sequence[bytes]) -> Pointmaps:
        """At the size of the photographs inside the squares; of the largest, where they differ.

        Raises:
            GeometryError: photographs that are refused, or outputs that are no geometry.
        """
        rects = [padded_rect(size, self.side) for size in sizes_of(photographs)]
        images = np.ones((1, len(photographs), 3, self.side, self.side), np.float32)
        for view, photograph in enumerate(decoded(photographs)):
            left, top, width, height = rects[view]
            resized = Image.fromarray(photograph).resize((width, height), Image.Resampling.BICUBIC)
            pixels = np.asarray(resized, np.float32).transpose(2, 0, 1) / 255
            images[0, view, :, top : top + height, left : left + width] = pixels
        whole = self._whole(images)
        parts = (cut(whole.of_views([view]), rect) for view, rect in enumerate(rects))
        size = common_size([(height, width) for _, _, width, height in rects])
        return check_views(self.name, resampled(parts, size))

    def _whole(self, images: np.ndarray) -> Pointmaps:
        """Pointmaps of the squares."""
        found = self.session.run({INPUT: images})
        square = 1, images.shape[1], self.side, self.side
        for name, shape in zip(OUTPUTS, ((*square[:2], 9), (*square, 1), square), strict=True):
            if name not in found or found[name].shape != shape:
                given = f"{list(found[name].shape)}" if name in found else "missing"
                raise GeometryError(f"{self.name}: output {name} is {given}, not {list(shape)}; is it VGGT's graph?")
        encoding, depth, confidence = (found[name][0] for name in OUTPUTS)
        try:
            rotations, translations, intrinsics = decoded_cameras(encoding, (self.side, self.side))
        except ValueError as error:
            raise GeometryError(f"{self.name}: {error}; check its weights, or compute it in FP32") from None
        poses = camera_to_world(rotations, translations)
        return unprojected(depth[..., 0], np.isfinite(confidence), intrinsics, poses, confidence)


def padded_rect(size: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """The rectangle (x, y, w, h) of a photograph (height, width) in the middle of a square."""
    height, width = (max(PATCH, round(side * n / max(size) / PATCH) * PATCH) for n in size)
    return (side - width) // 2, (side - height) // 2, width, height
