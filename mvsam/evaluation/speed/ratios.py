"""What users ask of the figures: how many times faster, and how cost grows. All from one run's medians."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mvsam.evaluation.speed.cases import Case, Task
from mvsam.evaluation.speed.measuring import Measured

EAGER = "PyTorch eager"
GROWTH_FROM, GROWTH_TO = 20, 100  # views


@dataclass(frozen=True)
class Ratio:
    """One median, or a sum of them, over another.

    Attributes:
        question: what the value answers.
        value: slower over faster, or more views over fewer.
        over, under: what was divided by what.
    """

    question: str
    value: float
    over: str
    under: str


def ratios(results: Sequence[Measured]) -> list[Ratio]:
    """All that the results allow. Ways whose masks are not the reference's take no part."""
    clicks = [each for each in results if each.agreement is not None and each.agreement.same_masks]
    found: list[Ratio] = []
    for case in sorted({each.case for each in clicks}, key=lambda case: (case.prompts, case.views)):
        mine = [each for each in clicks if each.case == case]
        found += _against_eager(case, mine)
        found += _against_video(min(mine, key=_median), results)
    return [*found, *_growth(clicks)]


def _against_eager(case: Case, clicks: Iterable[Measured]) -> Iterator[Ratio]:
    """The fastest of every other runtime against the fastest setting of eager PyTorch."""
    best: dict[str, Measured] = {}
    for each in sorted(clicks, key=_median):
        best.setdefault(each.way.runtime, each)
    if eager := best.pop(EAGER, None):
        for name, each in best.items():
            yield _ratio(f"{_named(case)}: {name} faster than the best PyTorch eager setting", [eager], [each])


def _against_video(click: Measured, results: Sequence[Measured]) -> Iterator[Ratio]:
    """The fastest click against SAM2-Video's propagation of one over as many frames."""
    if click.case.prompts != 1:
        return
    views, name = click.case.views, _named(click.case)
    cached, encoded, scene = (
        _best(results, case)
        for case in (
            Case(Task.PROPAGATION, views, 1),
            Case(Task.ENCODED_PROPAGATION, views, 1),
            Case(Task.SCENE, views),
        )
    )
    if cached:
        yield _ratio(f"{name}: faster than SAM2-Video with cached features", [cached], [click])
    if encoded:
        yield _ratio(f"{name}: faster than SAM2-Video that encodes its frames", [encoded], [click])
    if encoded and scene:
        question = f"{name} and scene encoding: faster than SAM2-Video that encodes its frames"
        yield _ratio(question, [encoded], [scene, click])


def _growth(clicks: Sequence[Measured]) -> Iterator[Ratio]:
    """Of every runtime's best: what five times the views cost."""
    for runtime, prompts in dict.fromkeys((each.way.runtime, each.case.prompts) for each in clicks):
        own = [each for each in clicks if each.way.runtime == runtime]
        fewer, more = (_best(own, Case(Task.CLICK, views, prompts)) for views in (GROWTH_FROM, GROWTH_TO))
        if fewer and more:
            question = f"click of {_count(prompts)}, {runtime}: {GROWTH_TO} views over {GROWTH_FROM}"
            yield _ratio(question, [more], [fewer])


def _best(results: Iterable[Measured], case: Case) -> Measured | None:
    return min((each for each in results if each.case == case), key=_median, default=None)


def _ratio(question: str, over: list[Measured], under: list[Measured]) -> Ratio:
    value = sum(map(_median, over)) / sum(map(_median, under))
    return Ratio(
        question, value, *(" + ".join(f"{x.case.task}: {x.way}" for x in several) for several in (over, under))
    )


def _median(each: Measured) -> float:
    return each.seconds.median


def _named(case: Case) -> str:
    return f"click of {_count(case.prompts)}, {case.views} view{'s' if case.views > 1 else ''}"


def _count(prompts: int) -> str:
    return f"{prompts} prompt{'s' if prompts > 1 else ''}"
