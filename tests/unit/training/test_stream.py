"""Photographs as a stream: shared out, resumed and counted exactly, whatever is read ahead."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mvsam.pipeline.frames import Frame
from mvsam.pipeline.request import Geometry
from mvsam.training.disturbance import Disturbance
from mvsam.training.example import Example, Part
from mvsam.training.feature_cache import Encoded
from mvsam.training.frozen import FrozenNetworks, laid_out
from mvsam.training.in_order import in_order
from mvsam.training.photograph_source import Photographs, PhotographSource
from mvsam.training.placing import PlacedSample
from mvsam.training.sa1b import Sa1b, Selection
from mvsam.training.scene_source import Variation
from mvsam.training.skipped import Cause, Skipped
from mvsam.training.stream import StreamState, resumed, total_skipped
from mvsam.training.user_masks import UserScenes
from tests.unit.training.sa1b_files import annotation, damaged_files, jpg, record, sa1b_files, write_folder, write_tar
from tests.unit.training.stream_toy import PRESET
from tests.unit.training.toy import SAMPLING


class Plane(FrozenNetworks):
    """Instead of networks: the pixels' own coordinates. Notes the examples asked for."""

    def __init__(self) -> None:
        super().__init__(PRESET, None, None, torch.device("cpu"))
        self.keys: list[str] = []

    def encoded(self, example: Example, image: np.ndarray | None) -> Encoded:
        self.keys.append(example.key)
        return super().encoded(example, image)

    def geometry(self, photographs: list[np.ndarray]) -> Geometry:  # pyright: ignore[reportIncompatibleMethodOverride]
        (height, width), rects = laid_out(photographs, PRESET)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        points = np.stack([x, y, x * y], axis=-1)[None].repeat(len(photographs), 0)
        valid = np.zeros(points.shape[:3], bool)
        for view, (left, top, w, h) in enumerate(rects):
            valid[view, top : top + h, left : left + w] = True
        return Geometry(points, np.ones(valid.shape, np.float32), valid)


def source(data: Photographs, networks: FrozenNetworks | None = None, threads: int = 2) -> PhotographSource:
    return PhotographSource(
        data, None, networks or Plane(), PRESET, SAMPLING, Disturbance(), Variation(objects=2), threads=threads
    )


def taken(stream: PhotographSource, count: int) -> list[PlacedSample]:
    return [stream.sample(0, 0) for _ in range(count)]


def same(ones: list[PlacedSample], others: list[PlacedSample]) -> None:
    for one, other in zip(ones, others, strict=True):
        for name in ("image", "prompt_points", "prompt_labels", "mask_prompts", "targets"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return write_tar(tmp_path / "sa_000000.tar", sa1b_files(range(20, 25)) | damaged_files())  # 9 usable of 16


@pytest.mark.parametrize("part", [Part(), Part(1, 2)])
def test_a_run_resumes_after_the_sample_it_used_last(tar: Path, part: Part) -> None:
    whole = source(Sa1b.open(tar, part=part))
    states, samples = [whole.state()], []
    for _ in range(20):  # two epochs and more
        samples += taken(whole, 1)
        states.append(whole.state())
    assert states[-1].epoch >= 2
    for used in (0, 1, 5, 9, 13):
        again = source(Sa1b.open(tar, part=part), threads=3)
        again.resume([StreamState(), states[used]] if part.count == 2 else [states[used]])
        same(taken(again, 20 - used), samples[used:])
        assert again.state() == states[-1]


def test_each_epoch_counts_what_it_skips_once(tar: Path) -> None:
    once = Sa1b.open(tar)
    usable = len(list(once.examples()))
    stream = source(Sa1b.open(tar))
    taken(stream, 3 * usable + 1)
    counts = stream.state().skipped.counts
    for cause, count in once.skipped.counts.items():
        assert 3 * count <= counts[cause] <= 4 * count


def test_processes_share_an_epoch(tar: Path) -> None:
    keys = []
    for rank in range(2):
        networks = Plane()
        data = Sa1b.open(tar, part=Part(rank, 2))
        stream = source(data, networks, threads=1)
        while stream.state().epoch == 0:
            taken(stream, 1)
        keys.append({*networks.keys[: len(list(Sa1b.open(tar, part=Part(rank, 2)).examples()))]})
    assert not keys[0] & keys[1]
    assert keys[0] | keys[1] == {example.key for example in Sa1b.open(tar).examples()}


def test_samples_are_drawn_anew_each_epoch(tmp_path: Path) -> None:
    stream = source(Sa1b.open(write_tar(tmp_path / "sa_000000.tar", sa1b_files([1]))))
    first, second = taken(stream, 2)
    np.testing.assert_array_equal(first.image, second.image)
    assert not np.array_equal(first.prompt_points, second.prompt_points)


def test_a_mask_too_small_to_be_clicked_on_is_counted(tmp_path: Path) -> None:
    files = sa1b_files([1, 2])
    speck = np.zeros((480, 640), bool)
    speck[7, 7:9] = True  # between the pixels of a small pointmap
    files["sa_3.jpg"] = jpg(np.zeros((480, 640, 3), np.uint8))
    files["sa_3.json"] = record(3, (480, 640), [annotation(speck, 0)])
    folder = write_folder(tmp_path / "folder", files)
    stream = source(Sa1b.open(folder, selection=Selection(least_area=0.0)))
    taken(stream, 5)
    assert stream.state().skipped.counts[Cause.NO_MASK] >= 2
    assert stream.state().skipped.first[Cause.NO_MASK] == "folder/sa_3"


def test_data_without_an_example_are_refused(tmp_path: Path) -> None:
    files = {"sa_1.jpg": b"", "sa_1.json": b""}
    data = Sa1b.open(write_folder(tmp_path / "folder", files))
    with pytest.raises(ValueError, match=r"used by process 0 of 1 \(skipped: 1 × damaged or empty json"):
        taken(source(data), 1)
    alone = write_folder(tmp_path / "one", sa1b_files([1]))
    with pytest.raises(ValueError, match=r"process 1 of 2 \(nothing skipped\): give other data, or more"):
        taken(source(Sa1b.open(alone, part=Part(1, 2))), 1)


def test_user_scenes_of_mixed_shapes_are_letterboxed(tmp_path: Path) -> None:
    sizes = {"a": (64, 64), "b": (48, 96), "c": (64, 64)}
    for name, size in sizes.items():
        mask = np.zeros(size, np.uint8)
        mask[10:30, 20:40] = 255
        for folder, picture in (("images", np.zeros((*size, 3), np.uint8)), ("masks/mug", mask)):
            path = tmp_path / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    stream = source(UserScenes.open(tmp_path))
    places = [example.key.split("/")[1][0] for example in stream.training.examples()]
    for name, sample in zip(places, taken(stream, 3), strict=True):
        photographs = [np.zeros((*sizes[each], 3), np.uint8) for each in [name, *(set(sizes) - {name})]]
        _, (rect, *_) = laid_out(photographs, PRESET)
        left, top, width, height = rect
        rows, columns = Frame(sizes[name], (left, top, width, height)).grid_pixels(PRESET.grid_side)
        scale, shift = np.polyfit(columns.ravel(), sample.grid_points[..., 0].ravel(), 1)
        x = (sample.prompt_points[0, sample.prompt_labels[0] == 1, 0] - shift) / scale
        assert ((x > left + 20 / sizes[name][1] * width - 1) & (x < left + 40 / sizes[name][1] * width + 1)).all()
        scale, shift = np.polyfit(rows.ravel(), sample.grid_points[..., 1].ravel(), 1)
        y = (sample.prompt_points[0, sample.prompt_labels[0] == 1, 1] - shift) / scale
        assert ((y > top + 10 / sizes[name][0] * height - 1) & (y < top + 30 / sizes[name][0] * height + 1)).all()
    assert laid_out(photographs, PRESET)[1] != [rect] * 3, "some photograph is letterboxed"


def test_another_number_of_processes_goes_on_from_the_earliest() -> None:
    one, other = Skipped(), Skipped()
    one.add(Cause.BAD_MASK, "a")
    other.add(Cause.BAD_MASK, "b")
    states = [StreamState(1, 7, one), StreamState(1, 4, other)]
    assert resumed(states, Part(1, 2)) == states[1]
    parts = [resumed(states, Part(rank, 3)) for rank in range(3)]
    assert {(state.epoch, state.place) for state in parts} == {(1, 4)}
    assert str(total_skipped(parts)) == "skipped: 2 × mask with a damaged RLE (first a)"
    assert resumed([], Part(1, 2)) == StreamState()


def test_states_survive_a_checkpoint(tmp_path: Path) -> None:
    skipped = Skipped()
    skipped.add(Cause.BAD_MASK, "a")
    torch.save([StreamState(2, 3, skipped).plain()], tmp_path / "state.pt")
    (plain,) = torch.load(tmp_path / "state.pt", weights_only=True)
    assert StreamState.of(plain) == StreamState(2, 3, skipped)


def test_results_come_in_order_and_not_far_in_advance() -> None:
    begun = []

    def items():
        for item in itertools.count():
            begun.append(item)
            yield item

    results = in_order(lambda item: item**2, items(), threads=2)
    assert list(itertools.islice(results, 5)) == [(item, item**2) for item in range(5)]
    assert len(begun) <= 5 + 3 * 2
    results.close()
