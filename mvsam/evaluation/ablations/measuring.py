"""A trained variant asked about held-out scenes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from mvsam.evaluation.ablations.inputs import decoder_inputs
from mvsam.evaluation.ablations.scenes import EncodedScenes, with_views
from mvsam.evaluation.ablations.task import AblatedDecoder
from mvsam.evaluation.ablations.variants import Evaluation, Variant
from mvsam.evaluation.questions import PROMPTED_VIEWS, Prompting, Question, ask, judge
from mvsam.training.loop import to_device

FIGURES = {"IoU": "iou", "recall": "recall", "IoU, occluded": "occluded_iou", "strays": "strays"}


@dataclass(frozen=True)
class Examination:
    """A trained model, what it is asked about, and how.

    Attributes:
        model: in evaluation mode.
        variant: of the model.
        evaluation: how it is asked.
        scenes: held-out ones; long ones where the evaluation counts frames.
    """

    model: AblatedDecoder
    variant: Variant
    evaluation: Evaluation
    scenes: EncodedScenes

    def figures(self, questions: int) -> dict[str, float | None]:
        """Means over so many questions about each scene; every variant is asked the same ones.

        Returns:
            The number of questions; IoU, recall, IoU on occluded objects, stray pixels, each a share of one, None where
            nothing of the kind was asked.
        """
        prompted = PROMPTED_VIEWS if self.evaluation.frames is None else 1
        answers = []
        for index, scene in enumerate(self.scenes.scenes):
            for number in range(questions):
                rng = np.random.default_rng((index, number))
                question = ask(scene, Prompting.TEN_AND_TWO, rng, prompted)
                if question is not None:
                    answers.append(judge(scene, question, self._masks(index, question, rng)))
        figures: dict[str, float | None] = {"questions": len(answers)}
        for name, field in FIGURES.items():
            values = np.array([getattr(answer, field) for answer in answers])
            figures[name] = float(np.nanmean(values)) if np.isfinite(values).any() else None
        return figures

    @torch.inference_mode()
    def _masks(self, index: int, question: Question, rng: np.random.Generator) -> np.ndarray:
        """bool [N, h, w] of all views of a scene."""
        scene = self.scenes.scenes[index]
        masks = np.zeros(scene.objects.shape, bool)
        device = next(self.model.parameters()).device
        for views in self._groups(len(masks), question, rng):
            asked = replace(question, views=np.argsort(views)[np.searchsorted(np.sort(views), question.views)])
            part, features = with_views(scene, views), self.scenes.features(index, views)
            inputs = decoder_inputs(part, features, [asked], self.variant, self.evaluation, rng)
            logits = self.model(to_device(inputs, device), None)[0].float().cpu().numpy()
            for view, each in zip(views, logits, strict=True):
                masks[view] = cv2.resize(each, masks.shape[:0:-1], interpolation=cv2.INTER_LINEAR) > 0
        return masks

    def _groups(self, count: int, question: Question, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Views that are seen together: all, or the one with the clicks and a few others, until all had their turn."""
        if self.evaluation.frames is None:
            yield np.arange(count)
            return
        prompted = question.views[:1]
        others = rng.permutation(np.setdiff1d(np.arange(count), prompted))
        for start in range(0, len(others), self.evaluation.frames - 1):
            yield np.concatenate([prompted, others[start : start + self.evaluation.frames - 1]])
