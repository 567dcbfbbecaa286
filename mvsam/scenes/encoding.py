"""Photographs to a scene, a few views at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvsam.pipeline.bilateral_grid import SIDE, BilateralGrid, colours_of, grid_bytes
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.normalization import NormalizedScene
from mvsam.pipeline.preprocessing import Layout
from mvsam.pipeline.request import Geometry
from mvsam.pipeline.resizing import encoder_image
from mvsam.runtime.segmenter import Rows, Session
from mvsam.scenes.projection import pixels_of
from mvsam.scenes.scene import Scene

SHARP = ("high_res_0", "high_res_1")  # the encoder's outputs that the decoder takes as they are
EMBEDDING = "image_embedding"
MEGABYTE = 10**6


@dataclass(frozen=True)
class SceneEncoder:
    """The graphs of a scene and the preset's constants.

    Attributes:
        pi3, sam2_encoder: graphs.
        point_embedder: likewise; None where prompts are found in other views by projection.
        encoder_side: S in pixels.
        geometry_pixels: the most pixels of H×W.
        chunk: views that the image encoder and the embedder are given at a time.
        keep: puts what the decoder takes of a scene where the decoder wants it; in the CPU's memory by default.
        view_bytes: that π³ needs for each photograph while it works.
        most_bytes: that it may need for a scene.
        fuses_views: whether scenes get a grid in which logits of all views are averaged.
    """

    pi3: Session
    sam2_encoder: Session
    point_embedder: Session | None
    encoder_side: int
    geometry_pixels: int
    chunk: int
    keep: Callable[[Mapping[str, np.ndarray]], Mapping[str, Rows]] = dict
    view_bytes: int = 0
    most_bytes: int = sys.maxsize
    fuses_views: bool = False

    def encode(
        self,
        photographs: Sequence[bytes],
        sizes: Sequence[tuple[int, int]],
        geometry: Geometry | None = None,
        known: Mapping[bytes, Mapping[str, np.ndarray]] | None = None,
        go_on: Callable[[], None] = lambda: None,
    ) -> Scene:
        """Encodes a checked request.

        Args:
            photographs: N encoded files.
            sizes: (h, w) of each, upright.
            geometry: the user's own.
            known: image features of photographs that were encoded before, by their files' bytes.
            go_on: called between steps; raises to stop.

        Raises:
            RequestError: a photograph is damaged, or the geometry is none.
        """
        layout = Layout.of(sizes, self.geometry_pixels, geometry)
        has_own_geometry = geometry is not None
        geometry_images = None if has_own_geometry else np.empty((len(photographs), 3, *layout.size), np.float32)
        colours = np.empty((len(photographs), SIDE, SIDE, 3), np.float32) if self.fuses_views else None
        features = self._image_features(photographs, layout, geometry_images, colours, known or {}, go_on)
        camera_poses = None
        if geometry_images is not None:
            found = self.pi3.run({"images": geometry_images})
            geometry = Geometry.of(found["points"], found["confidence"])
            camera_poses = found["camera_poses"]
            go_on()
        assert geometry is not None
        normalized = NormalizedScene.of(
            geometry, layout.image_sizes, layout.geometry_rects, grid_side=self.encoder_side // 16
        )
        embedding = features.pop(EMBEDDING)
        if self.point_embedder:
            features |= self._point_features(self.point_embedder, embedding, normalized)
        else:
            features |= {EMBEDDING: embedding} | pixels_of(normalized, layout.geometry_rects)
        grid = None if colours is None else BilateralGrid.of(normalized.geometry, normalized.frames, colours)
        kept = self.keep(features)
        return Scene(tuple(photographs), layout, normalized, has_own_geometry, camera_poses, embedding, grid, kept)

    def estimate(
        self, photographs: Sequence[bytes], sizes: Sequence[tuple[int, int]], geometry: Geometry | None = None
    ) -> int:
        """Bytes that the scene of such a request keeps, FP32 assumed.

        Raises:
            RequestError: encoding it would take more memory than it may.
        """
        needed = 0 if geometry else len(photographs) * self.view_bytes
        if needed > self.most_bytes:
            raise RequestError(
                f"IMAGES: {len(photographs)} photographs need {needed // MEGABYTE} MB while they are encoded, at most "
                f"{self.most_bytes // MEGABYTE} MB are allowed; send at most {self.most_bytes // self.view_bytes}, or "
                "your own pointmaps"
            )
        height, width = self.geometry_size(sizes, geometry)
        cells = (self.encoder_side // 16) ** 2
        # A cell's 256 channels three times over, 64 of four high_res_1 and 32 of sixteen high_res_0; a pixel's point,
        # confidence and two flags, and its point once more for projection; a cell's point and flag.
        pixel = 4 * 4 + 2 + (0 if self.point_embedder else 3 * 4)
        view = cells * (3 * 256 + 4 * 64 + 16 * 32 + 3) * 4 + cells + height * width * pixel
        fusion = grid_bytes(len(photographs)) if self.fuses_views else 0
        return len(photographs) * view + fusion + sum(map(len, photographs))

    def geometry_size(self, sizes: Sequence[tuple[int, int]], geometry: Geometry | None = None) -> tuple[int, int]:
        """(H, W) of the pointmaps of such a request."""
        return Layout.of(sizes, self.geometry_pixels, geometry).size

    def _image_features(
        self,
        photographs: Sequence[bytes],
        layout: Layout,
        geometry_images: np.ndarray | None,
        colours: np.ndarray | None,
        known: Mapping[bytes, Mapping[str, np.ndarray]],
        go_on: Callable[[], None],
    ) -> dict[str, np.ndarray]:
        """Features of all views; each photograph is decoded once, for both networks."""
        found: dict[str, np.ndarray] = {}
        waiting: dict[int, np.ndarray] = {}

        def keep(views: Sequence[int], rows: Mapping[str, np.ndarray]) -> None:
            for name in (EMBEDDING, *SHARP):
                array = rows[name]
                found.setdefault(name, np.empty((len(photographs), *array.shape[1:]), array.dtype))[views] = array

        for view, data in enumerate(photographs):
            go_on()
            photograph = decode_photograph(data, f"IMAGES: view {view}")
            if colours is not None:
                colours[view] = colours_of(photograph)
            if geometry_images is not None:
                geometry_images[view] = layout.geometry_image(photograph, view)
            if data in known:
                keep([view], known[data])
            else:
                waiting[view] = encoder_image(photograph, self.encoder_side)
            if waiting and (len(waiting) == self.chunk or view + 1 == len(photographs)):
                keep(list(waiting), self.sam2_encoder.run({"images": np.stack(list(waiting.values()))}))
                waiting.clear()
        return found

    def _point_features(
        self, point_embedder: Session, embedding: np.ndarray, normalized: NormalizedScene
    ) -> dict[str, np.ndarray]:
        parts = [
            point_embedder.run(
                {
                    EMBEDDING: embedding[start : start + self.chunk],
                    "grid_points": normalized.grid_points[start : start + self.chunk],
                    "grid_low_confidence": normalized.grid_low_confidence[start : start + self.chunk],
                }
            )
            for start in range(0, len(embedding), self.chunk)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def image_features(scene: Scene) -> dict[bytes, dict[str, np.ndarray]]:
    """What is known of a scene's photographs, whatever their geometry becomes: one row by file and name."""
    arrays = {EMBEDDING: scene.image_embedding} | {name: np.asarray(scene.features[name]) for name in SHARP}
    return {
        data: {name: array[view : view + 1] for name, array in arrays.items()}
        for view, data in enumerate(scene.photographs)
    }
