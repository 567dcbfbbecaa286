"""What a scene can be asked for. Every request is checked at once and answered by other threads, in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from mvsam.pipeline.checks import check_answer_bytes, check_prompt_limits, check_request
from mvsam.pipeline.encodings import MaskEncoding
from mvsam.pipeline.errors import BusyError, RequestError
from mvsam.pipeline.limits import Limits
from mvsam.pipeline.request import Geometry, Prompts
from mvsam.scenes.answers import Answers
from mvsam.scenes.cache import SceneCache
from mvsam.scenes.decoding import Decoder
from mvsam.scenes.encoding import SceneEncoder, image_features
from mvsam.scenes.reply import CancelledError, Reply
from mvsam.scenes.scene import Scene
from mvsam.scenes.segmenting import Segmenting, logits_bytes
from mvsam.scenes.workers import Workers


class SceneService:
    """Scenes and the clicks on them.

    Args:
        encoder: makes scenes.
        decoder: decodes clicks.
        cache: keeps scenes.
        answers: keeps masks that may be refined.
        limits: of a request.
        encodes: scenes that are encoded at once.
        most_waiting: scenes that wait for it; more are refused.
    """

    def __init__(
        self,
        encoder: SceneEncoder,
        decoder: Decoder,
        cache: SceneCache,
        answers: Answers,
        limits: Limits,
        *,
        encodes: int,
        most_waiting: int,
    ) -> None:
        self.cache, self.answers = cache, answers
        self._encoder, self._decoder, self._limits = encoder, decoder, limits
        refusal = f"{most_waiting} scenes wait to be encoded already; try again in a few seconds"
        self._encodes = Workers(encodes, "encoder", most_waiting, refusal)
        self._lifts, self._descriptions = Workers(1, "lifter"), Workers(1, "describer")
        self._mask_lifts = Workers(1, "mask_lifter")  # decoding masks takes longer than all else of a click

    def encode(self, photographs: Sequence[bytes], geometry: Geometry | None, reply: Reply) -> None:
        """Photographs to a scene; answers SCENE and what is known of it.

        Raises:
            RequestError: the request is at fault.
            BusyError: too much is going on.
        """
        sizes = self._checked(photographs, geometry, reply)
        self._encodes.check(reply.owner)  # before any scene is pushed out for this one
        ticket = self.cache.reserve(self._encoder.estimate(photographs, sizes, geometry), reply.owner)
        keep = partial(self.cache.put, owner=reply.owner)
        work = partial(self._make, photographs, sizes, geometry, ticket, dict, reply, keep)

        def refuse(error: Exception | None) -> None:
            self.cache.cancel(ticket)
            reply.end(error)

        try:
            self._encodes.submit(work, refuse, reply.owner, reply.is_cancelled)
        except BusyError:
            self.cache.cancel(ticket)
            raise

    def add(self, name: str, photographs: Sequence[bytes], geometry: Geometry | None, reply: Reply) -> None:
        """More photographs for a scene, behind those that it has; as if all had been encoded together.

        Args:
            name: the scene's id, which stays.
            photographs: those to add.
            geometry: of those to add, where the scene has the user's own.
            reply: as for `encode`.

        Raises:
            UnknownSceneError: there is no such scene.
            RequestError, BusyError: as for `encode`.
        """
        with self.cache.pin(name, reply.owner) as scene:
            if scene.has_own_geometry != (geometry is not None):
                raise RequestError(
                    "points: a scene's geometry is either all the user's own or all the server's; send photographs "
                    + ("with points and confidence" if scene.has_own_geometry else "alone")
                )
            self._encodes.check(reply.owner)
            check_request(photographs, None, self._limits, geometry)  # those to add; all together in their turn
            joined = partial(scene.normalized.geometry.followed_by, geometry) if geometry is not None else None
            self._change(name, scene, [*scene.photographs, *photographs], joined, reply)

    def remove(self, name: str, views: Sequence[int] | np.ndarray, reply: Reply) -> None:
        """Fewer photographs for a scene; the others close ranks; as if the rest had been encoded alone.

        Args:
            name: the scene's id, which stays.
            views: to remove.
            reply: as for `encode`.

        Raises:
            UnknownSceneError: there is no such scene.
            RequestError: a view that it does not have, or all of them.
            BusyError: as for `encode`.
        """
        with self.cache.pin(name, reply.owner) as scene:
            _check_views(views, scene)
            gone = set(views)
            left = [view for view in range(scene.views) if view not in gone]
            if not left or len(left) == scene.views:
                raise RequestError("VIEWS must name some photographs of the scene, and not all of them")
            geometry = partial(scene.normalized.geometry.of_views, left) if scene.has_own_geometry else None
            self._change(name, scene, [scene.photographs[view] for view in left], geometry, reply)

    def segment(
        self, name: str, prompts: Prompts, encoding: MaskEncoding, reply: Reply, previous: str | None = None
    ) -> None:
        """Prompts to masks, as they are ready: VIEW, MASKS, SCORES, AREAS of some views in every part.

        Args:
            name: the scene's id.
            prompts: for O objects.
            encoding: of the masks.
            reply: where they go; the last part says ANSWER too, the id under which the masks can be refined, and
                IMAGE_DIGESTS, of the photographs that the masks are of.
            previous: a former ANSWER about the same objects, whose masks are to be refined.

        Raises:
            UnknownSceneError: there is no such scene.
            RequestError: the prompts are at fault.
        """
        check_prompt_limits(prompts, self._limits)
        pin = self.cache.pin(name, reply.owner)
        try:
            self._check_answer(pin.scene, prompts, encoding, reply)
            former = self.answers.find(previous, pin.scene, prompts.objects) if previous else None
        except RequestError:
            pin.release()
            raise
        job = Segmenting(pin, prompts, former, encoding, reply, self.answers)
        lifts = self._mask_lifts if prompts.masks else self._lifts
        lifts.submit(partial(job.lift, self._decoder), job.end, reply.owner)

    def describe(self, name: str, reply: Reply, views: Sequence[int] | np.ndarray | None = None) -> None:
        """Answers SCENE and what is known of it, as `encode` does.

        Args:
            name: the scene's id.
            reply: as for `encode`.
            views: whose pointmaps are answered; all by default.

        Raises:
            UnknownSceneError: there is no such scene.
            RequestError: a view that it does not have, or pointmaps that are too large for one answer.
        """
        pin = self.cache.pin(name, reply.owner)
        try:
            _check_views(() if views is None else views, pin.scene)
            points = pin.scene.normalized.geometry.points
            self._check_pointmaps(len(points) if views is None else len(views), points.shape[1:3], reply)
        except RequestError:
            pin.release()
            raise

        def answer() -> None:
            try:
                reply.send(described(pin.scene, views) | {"SCENE": np.array([name.encode()], object)}, last=True)
            except Exception as error:  # memory has run out, perhaps; the client is told
                reply.end(error)
            finally:
                pin.release()

        def refuse(error: Exception | None) -> None:
            pin.release()
            reply.end(error)

        self._descriptions.submit(answer, refuse, reply.owner, reply.is_cancelled)

    def forget(self, name: str, reply: Reply) -> None:
        """Forgets a scene; answers SCENE.

        Raises:
            UnknownSceneError: there is no such scene.
        """
        self.cache.close(name, reply.owner)
        reply.send({"SCENE": np.array([name.encode()], object)}, last=True)

    def shut_down(self) -> None:
        """Answers what has been asked, then ends the threads."""
        self._encodes.close()
        self._descriptions.close()
        self._lifts.close()
        self._mask_lifts.close()
        self._decoder.close()

    def _change(
        self,
        name: str,
        scene: Scene,
        photographs: Sequence[bytes],
        geometry: Callable[[], Geometry] | None,
        reply: Reply,
    ) -> None:
        """Replaces a scene; what takes long, its geometry and the checks of it, is done when its turn has come."""

        def keep(changed: Scene, ticket: int) -> str:
            self.cache.replace(name, scene, changed, ticket, reply.owner)
            return name

        def work() -> None:
            if reply.is_cancelled():
                reply.end()
                return
            try:
                joined = geometry() if geometry else None
                sizes = self._checked(photographs, joined, reply)
                ticket = self.cache.reserve(self._encoder.estimate(photographs, sizes, joined), reply.owner)
            except Exception as error:  # whatever it is, somebody waits for an answer
                reply.end(error)
                return
            self._make(photographs, sizes, joined, ticket, partial(image_features, scene), reply, keep)

        self._encodes.submit(work, reply.end, reply.owner, reply.is_cancelled)

    def _checked(self, photographs: Sequence[bytes], geometry: Geometry | None, reply: Reply) -> list[tuple[int, int]]:
        """Returns the photographs' sizes.

        Raises:
            RequestError: the request is at fault.
        """
        sizes = [header.size for header in check_request(photographs, None, self._limits, geometry)]
        self._check_pointmaps(len(sizes), self._encoder.geometry_size(sizes, geometry), reply)
        return sizes

    def _make(
        self,
        photographs: Sequence[bytes],
        sizes: Sequence[tuple[int, int]],
        geometry: Geometry | None,
        ticket: int,
        known: Callable[[], Mapping[bytes, Mapping[str, np.ndarray]]],
        reply: Reply,
        keep: Callable[[Scene, int], str],
    ) -> None:
        def go_on() -> None:
            if reply.is_cancelled():
                raise CancelledError

        try:
            go_on()
            scene = self._encoder.encode(photographs, sizes, geometry, known(), go_on)
            answer = described(scene) | {"SCENE": np.array([keep(scene, ticket).encode()], object)}
            reply.send(answer, last=True)
        except CancelledError:
            reply.end()
        except Exception as error:  # whatever it is, somebody waits for an answer
            reply.end(error)
        finally:
            self.cache.cancel(ticket)

    def _check_pointmaps(self, views: int, shape: tuple[int, ...], reply: Reply) -> None:
        channels = 3 * ("points" in reply.outputs) + ("confidence" in reply.outputs)
        size = 4 * channels * views * shape[0] * shape[1]
        if size > self._limits.max_raw_bytes:
            raise RequestError(
                f"points and confidence of {views} views would have {size} bytes, more than the "
                f"{self._limits.max_raw_bytes} allowed; leave them out, and ask for those of some views at a time: "
                "ACTION describe with VIEWS"
            )

    def _check_answer(self, scene: Scene, prompts: Prompts, encoding: MaskEncoding, reply: Reply) -> None:
        check_answer_bytes(scene.layout.image_sizes, prompts.objects, encoding, self._limits.max_raw_bytes)
        size = logits_bytes(scene, prompts.objects)
        if "mask_logits" in reply.outputs and size > self._limits.max_raw_bytes:
            raise RequestError(
                f"mask_logits would have {size} bytes, more than the {self._limits.max_raw_bytes} allowed; "
                "ask for fewer objects at once, or leave them out"
            )


def described(scene: Scene, views: Sequence[int] | np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Returns what a client may know of a scene; the pointmaps of some views alone where these are given."""
    geometry = scene.normalized.geometry
    known = {
        "IMAGE_SIZES": scene.layout.image_sizes,
        "IMAGE_DIGESTS": scene.digests,
        "GEOMETRY_RECTS": scene.layout.geometry_rects,
        "SCENE_STATISTICS": scene.normalized.statistics,
        "points": geometry.points if views is None else geometry.points[list(views)],
        "confidence": geometry.confidence if views is None else geometry.confidence[list(views)],
    }
    return known if scene.camera_poses is None else known | {"camera_poses": scene.camera_poses}


def _check_views(views: Sequence[int] | np.ndarray, scene: Scene) -> None:
    if len(views) > scene.views:
        raise RequestError(f"VIEWS names {len(views)} views of {scene.views}; name each once")
    for view in views:
        if not 0 <= view < scene.views:
            raise RequestError(f"VIEWS names view {view} of {scene.views}; give 0 to {scene.views - 1}")
