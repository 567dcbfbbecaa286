"""Every subject that a run times, and the references that their answers are compared with."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mvsam.evaluation.speed.cases import Case, Task, chunks
from mvsam.evaluation.speed.offers import FAMILIES, Offer, UnavailableError, Workbench
from mvsam.evaluation.speed.subjects import Outputs, Subject, Way, in_words, with_threads
from mvsam.networks.graphs import GRAPHS
from mvsam.networks.presets import Precision

logger = logging.getLogger(__name__)

ENCODED_AT_ONCE = (1, 8)  # views that SAM2's encoder is given at a time
TASKS = {Task.PI3: "pi3", Task.ENCODER: "sam2_encoder", Task.EMBEDDER: "point_embedder", Task.CLICK: "mask_decoder"}


@dataclass
class Catalogue:
    """Subjects, in groups as the command line asks for them.

    Attributes:
        bench: what they are made of.
        families: of runtimes to try.
        precisions: to try.
        missing: why a runtime is not among the subjects.
        references: FP32 eager PyTorch, by case.
    """

    bench: Workbench
    families: Sequence[str]
    precisions: Sequence[Precision]
    missing: list[str] = field(default_factory=list)
    references: dict[Case, Subject] = field(default_factory=dict)
    _offers_made: dict[tuple[str, str, Precision], list[Offer]] = field(default_factory=dict)

    def clicks(self, views: Iterable[int], prompts: Iterable[int], at_once: Sequence[int]) -> Iterator[Subject]:
        """One object, so many views at a time."""
        cases = [Case(Task.CLICK, n, p) for n in views for p in prompts]
        self._refer(Task.CLICK, cases, at_once=max(at_once))
        for precision, offers in self._offers("mask_decoder"):
            for offer in offers:
                for case in cases:
                    for count in sorted({min(case.views, count) for count in at_once}):
                        yield _subject(case, precision, [(offer, count)])

    def encodings(self, views: Sequence[int]) -> Iterator[Subject]:
        """π³, SAM2's encoder and the point embedder, each alone and one after the other, with every thread."""
        tasks = (Task.PI3, Task.ENCODER, Task.EMBEDDER)
        cases = {task: [Case(task, n) for n in views] for task in (*tasks, Task.SCENE)}
        self._refer(Task.PI3, cases[Task.PI3], at_once=max(views))
        self._refer(Task.ENCODER, cases[Task.ENCODER], at_once=1)
        self._refer(Task.EMBEDDER, cases[Task.EMBEDDER], at_once=max(views))
        for case in cases[Task.SCENE]:
            self.references[case] = _joined(case, [self.references[Case(task, case.views)] for task in tasks])
        encoders, embedders = dict(self._offers("sam2_encoder")), dict(self._offers("point_embedder"))
        for precision, geometries in self._offers("pi3"):
            for n in views:
                for geometry in geometries:
                    alone = (geometry, n)
                    yield _subject(Case(Task.PI3, n), precision, [alone])
                    same = [each for each in embedders[precision] if each.name == geometry.name]
                    for embedder in same:
                        yield _subject(Case(Task.EMBEDDER, n), precision, [(embedder, n)])
                    for encoder in encoders[precision]:
                        if encoder.name == geometry.name:
                            for at_once in sorted({min(n, count) for count in ENCODED_AT_ONCE}):
                                yield _subject(Case(Task.ENCODER, n), precision, [(encoder, at_once)])
                                for embedder in same:
                                    parts = [alone, (embedder, n), (encoder, at_once)]
                                    yield _subject(Case(Task.SCENE, n), precision, parts)

    def _offers(self, graph: str) -> Iterator[tuple[Precision, list[Offer]]]:
        """What can compute a graph, by precision."""
        for precision in self.precisions:
            found: list[Offer] = []
            for family in self.families:
                try:
                    found += self._loaded(family, graph, precision)
                except UnavailableError as error:
                    self.missing.append(f"{family}, {graph}, {precision}: {error}")
                    logger.info("left out: %s", self.missing[-1])
            yield precision, found

    def _loaded(self, family: str, graph: str, precision: Precision) -> list[Offer]:
        """One family's, loaded once: a reference shares what is timed beside it."""
        key = family, graph, precision
        if key not in self._offers_made:
            self._offers_made[key] = list(FAMILIES[family](self.bench, GRAPHS[graph], precision))
        return self._offers_made[key]

    def _refer(self, task: Task, cases: Iterable[Case], at_once: int) -> None:
        """Lets FP32 eager PyTorch be the reference of the cases."""
        offers = self._loaded("eager", TASKS[task], Precision.FP32)
        offer = [each for each in offers if not each.detail][-1]
        for case in cases:
            self.references[case] = _subject(case, Precision.FP32, [(offer, at_once)])


def _subject(case: Case, precision: Precision, parts: Sequence[tuple[Offer, int]]) -> Subject:
    """One subject out of one graph or several, each with the views it is given at a time."""
    prepared = [(offer.runtime, list(chunks(offer.graph, offer.inputs, case, at_once))) for offer, at_once in parts]

    def call() -> Outputs:
        return [runtime.run(inputs) for runtime, several in prepared for inputs in several]

    offer, at_once = parts[-1]
    views = "all views at once" if at_once >= case.views else f"{at_once} view{'s' if at_once > 1 else ''} at a time"
    return Subject(
        case,
        Way(offer.name, precision, in_words(offer.threads, views, offer.detail)),
        call,
        with_threads(offer.threads),
        owners=[runtime for runtime, _ in prepared],
        at_once=at_once,
        compiles=offer.name == "torch.compile",
    )


def _joined(case: Case, parts: Sequence[Subject]) -> Subject:
    """Several subjects, one after the other."""

    def call() -> Outputs:
        return [outputs for part in parts for outputs in part.call()]

    return Subject(case, parts[0].way, call, parts[0].before)
