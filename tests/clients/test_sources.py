"""Photographs are found wherever people keep them, and in an order that can be told."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mvsam_client import Client, InvalidRequestError, MissingExtraError, Photograph, photographs
from mvsam_client.given import given
from mvsam_client.images import upright, upright_size
from mvsam_client.sampling import even_places
from tests.clutter import TWIN

NAMES = ["img10.jpg", "img2.jpg", "img1.PNG", "img3.webp"]
IN_ORDER = ["img1.PNG", "img2.jpg", "img3.webp", "img10.jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for shade, name in enumerate(NAMES):
        Image.new("RGB", (16, 12), (40 * shade, 0, 0)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def names(source, **options) -> list[str]:
    return [photograph.name for photograph in photographs(source, **options)]


def test_a_folder_a_pattern_and_a_list_hold_the_same_photographs(folder):
    assert names(folder) == names(str(folder)) == names(folder / "img*.*") == IN_ORDER
    assert names(folder / "*.jpg") == ["img2.jpg", "img10.jpg"]
    assert names([folder / name for name in NAMES]) == NAMES, "a list keeps its own order"
    assert names(folder / "img2.jpg") == ["img2.jpg"]
    assert [each.encoded for each in photographs(folder)] == [(folder / name).read_bytes() for name in IN_ORDER]


def test_what_is_no_file_gets_a_name_too(folder):
    pixels = np.zeros((4, 5, 3), np.uint8)
    found = photographs([pixels, (folder / "img2.jpg").read_bytes(), Photograph("mine", b"x"), folder / "img1.PNG"])
    assert [each.name for each in found] == ["photograph_0", "photograph_1", "mine", "img1.PNG"]
    np.testing.assert_array_equal(upright(found[0].encoded), pixels)


def test_frames_are_taken_at_even_distances(folder):
    assert even_places(10, 4) == [0, 3, 6, 9]
    assert even_places(10, 1) == [0] and even_places(3, 5) == even_places(3, None) == [0, 1, 2]
    assert names(folder, frames=2) == ["img1.PNG", "img10.jpg"]
    assert names([folder / name for name in NAMES], frames=3) == ["img10.jpg", "img1.PNG", "img3.webp"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """31 frames, each of one grey: its number times 8."""
    path = tmp_path_factory.mktemp("video") / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(31):
        writer.write(np.full((48, 64, 3), 8 * number, np.uint8))
    writer.release()
    return path


def greys(found) -> list[float]:
    return [upright(each.encoded).mean() / 8 for each in found]


def test_a_video_gives_frames_from_its_first_to_its_last(video):
    found = photographs(video, frames=4)
    np.testing.assert_allclose(greys(found), [0, 10, 20, 30], atol=0.3)
    assert [each.name for each in found] == [f"walk_{number:06d}.jpg" for number in (0, 10, 20, 30)]
    assert len(photographs(video)) == 16 and len(photographs(video, frames=100)) == 31
    np.testing.assert_allclose(greys(photographs(video, frames=1)), [0], atol=0.3)


def test_a_video_that_ends_early_gives_what_is_there(video, tmp_path):
    short = tmp_path / "short.avi"
    short.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.7)])
    found = photographs(short, frames=4)
    assert 2 <= len(found) <= 4 and greys(found)[0] < 1 and greys(found)[-1] > 10


def test_colours_of_a_video_are_not_exchanged(tmp_path):
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 250), np.uint8))  # OpenCV's order: blue, green, red
    writer.release()
    red, green, blue = upright(photographs(path)[0].encoded).mean(axis=(0, 1))
    assert red > 200 and green < 40 and blue < 40


CODECS = {
    "ts": "MPG2",
    "m2ts": "MPG2",
    "mpg": "MPG2",
    "3gp": "mp4v",
    "flv": "FLV1",
    "wmv": "WMV2",
    "mkv": "mp4v",
    "mov": "mp4v",
    "mp4": "mp4v",
    "mxf": "MPG2",
}


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[str], Path]:
    """Frames that are white in their upper left quarter, as a file of some ending."""

    def recorded(suffix: str) -> Path:
        path = tmp_path / f"clip.{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*CODECS[suffix]), 25, (64, 48))
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:24, :32] = 255
        for _ in range(25):
            writer.write(frame)
        writer.release()
        return path

    return recorded


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_is_told_by_its_content(clip, suffix):
    path = clip(suffix)
    for name in (path.name, "without_ending"):
        found = photographs(path.rename(path.with_name(name)), frames=2)
        assert upright(found[0].encoded).shape == (48, 64, 3)
        path = path.with_name(name)
    with pytest.raises(InvalidRequestError, match="without_ending is a video; give its path by itself"):
        photographs([path])


def test_a_picture_named_like_a_video_is_a_picture(folder):
    path = (folder / "img2.jpg").rename(folder / "img2.mp4")
    assert [each.encoded for each in photographs(path)] == [path.read_bytes()]


ONE = 65536  # in the fixed-point numbers of a track's matrix
TURNS = {90: (0, ONE, -ONE, 0), 180: (-ONE, 0, 0, -ONE), 270: (0, -ONE, ONE, 0)}
WHITE = {90: (0, -1), 180: (-1, -1), 270: (-1, 0)}  # where a clockwise turn brings the upper left corner


@pytest.mark.parametrize("turn", TURNS)
def test_a_video_is_turned_as_it_says(clip, turn):
    path = clip("mp4")
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    a, b, c, d = TURNS[turn]
    content[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    for found in photographs(path, frames=2):
        frame = upright(found.encoded)
        assert frame.shape == ((48, 64, 3) if turn == 180 else (64, 48, 3))
        corners = {(y, x): frame[y, x].mean() > 128 for y in (0, -1) for x in (0, -1)}
        assert [corner for corner, is_white in corners.items() if is_white] == [WHITE[turn]]


def test_without_opencv_the_extra_is_named(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"pip install './clients\[video\]'"):
        photographs(video)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("place", ["sparse/0", "sparse"])
def test_a_colmap_project_gives_its_photographs_in_the_models_order(folder, tmp_path, binary, place):
    project = tmp_path / "project"
    (project / place).mkdir(parents=True)
    (project / "images" / "left").mkdir(parents=True)
    listed = {3: "left/b b.jpg", 1: "z.jpg", 2: "a.jpg"}
    for key, name in listed.items():
        Image.new("RGB", (8, 8), (key, 0, 0)).save(project / "images" / name)
    Image.new("RGB", (8, 8)).save(project / "images" / "not_registered.jpg")
    pose = (1.0, 0.0, 0.0, 0.0, 0.5, 0.0, 2.0)
    if binary:
        content = struct.pack("<Q", len(listed))
        for points, (key, name) in enumerate(listed.items()):
            content += struct.pack("<I7dI", key, *pose, 1) + name.encode() + b"\0" + struct.pack("<Q", points)
            content += struct.pack("<ddq", 1.5, 2.5, -1) * points
        (project / place / "images.bin").write_bytes(content)
    else:
        lines = ["# Image list with two lines of data per image:"]
        for points, (key, name) in enumerate(listed.items()):
            lines += [f"{key} {' '.join(map(str, pose))} 1 {name}", " ".join(["1.5 2.5 -1"] * points)]
        (project / place / "images.txt").write_text("\n".join(lines) + "\n")
    assert names(project) == ["z.jpg", "a.jpg", "b b.jpg"]
    (project / "images" / "a.jpg").unlink()
    with pytest.raises(InvalidRequestError, match=r"a\.jpg: the COLMAP model .* is not there"):
        photographs(project)


NAMES_OF_A_MODEL = ["\u00e9t\u00e9 1.jpg", "2.jpg", "b\u00e4r \u2028 3.jpg"]
IMAGE = "{} 1 0 0 0 0.5 0 2 1 {}"
KEYPOINTS = "12.5 30 -1 4 5.25 7 100 200 12 1 2 3"


def text_model(form: str, names: list[str]) -> bytes:
    """images.txt as COLMAP and other programs write it."""
    lines = ["# Image list with two lines of data per image:"]
    for number, name in enumerate(names, 1):
        lines.append(IMAGE.format(number, name))
        if form in ("keypoints", "blank lines"):
            lines.append(KEYPOINTS)
        elif form == "empty keypoints" or (form == "some keypoints" and number == 2):
            lines.append("" if number != 2 else KEYPOINTS)
        if form == "blank lines":
            lines += ["", " "]
    return "\n".join(lines).encode() + b"\n"


@pytest.mark.parametrize("form", ["keypoints", "empty keypoints", "no keypoints", "some keypoints", "blank lines"])
def test_every_image_of_a_text_model_is_found(tmp_path, form):
    (tmp_path / "sparse").mkdir()
    for name in NAMES_OF_A_MODEL:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    for mark, end in ((b"", b"\n"), (b"\xef\xbb\xbf", b"\r\n")):
        content = mark + text_model(form, NAMES_OF_A_MODEL).replace(b"\n", end)
        (tmp_path / "sparse" / "images.txt").write_bytes(content)
        assert names(tmp_path) == NAMES_OF_A_MODEL


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_in_a_model_are_bytes_whatever_the_locale(tmp_path, locale):
    raw = ["\u00e9t\u00e9.jpg".encode(), "\u00e9t\u00e9.jpg".encode("latin-1"), "\u732b.jpg".encode("shift-jis")]
    (tmp_path / "sparse").mkdir()
    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "JPEG")
    for name in raw:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(picture.getvalue())
    lines = [IMAGE.format(number, "").encode() + name + b"\n\n" for number, name in enumerate(raw, 1)]
    (tmp_path / "sparse" / "images.txt").write_bytes(b"".join(lines))
    program = "import sys, os, mvsam_client as m; print([os.fsencode(p.name) for p in m.photographs(sys.argv[1])])"
    environment = os.environ | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = subprocess.check_output([sys.executable, "-c", program, tmp_path], env=environment, text=True)
    assert said.strip() == repr(raw)


def test_a_name_that_the_disk_has_in_other_bytes_is_told(tmp_path):
    (tmp_path / "sparse").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "\u00e9t\u00e9.jpg")
    content = IMAGE.format(1, "\u00e9t\u00e9.jpg").encode("latin-1") + b"\n"
    (tmp_path / "sparse" / "images.txt").write_bytes(content)
    with pytest.raises(InvalidRequestError, match="is not there; name the file by the same bytes as the model does"):
        photographs(tmp_path)


@pytest.mark.parametrize("line", ["1 1 0 0 0 0.5 0 2", "1 1 0 0 x 0.5 0 2 1 a.jpg", KEYPOINTS, "no image at all"])
def test_a_line_that_is_no_image_is_told(tmp_path, line):
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse" / "images.txt").write_text(line + "\n")
    with pytest.raises(InvalidRequestError, match=r"images\.txt: no list of COLMAP's images.*export the model again"):
        photographs(tmp_path)


def test_a_broken_colmap_model_is_named(tmp_path):
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse" / "images.bin").write_bytes(b"\x05\0\0")
    with pytest.raises(InvalidRequestError, match=r"images\.bin: no list of COLMAP's images.*export the model again"):
        photographs(tmp_path)


def test_hidden_files_twins_and_folders_are_passed_over(folder):
    """macOS puts a `._` twin beside every file that it copies."""
    for name in ("._img2.jpg", ".hidden.png"):
        (folder / name).write_bytes(TWIN)
    for name in ("album.jpg", "album.JPEG"):
        (folder / name).mkdir()
    (folder / "link.png").symlink_to(folder / "gone.png")
    assert names(folder) == names(folder / "img*.*") == IN_ORDER
    assert names(folder / "*.jpg") == ["img2.jpg", "img10.jpg"]
    assert [each.name for each in given(sorted(folder.glob("*.jpg"))[1:], None)] == ["img10.jpg", "img2.jpg"]


def test_a_twin_in_a_list_is_named_for_what_it_is(folder):
    (folder / "._img2.jpg").write_bytes(TWIN)
    with pytest.raises(InvalidRequestError, match=r"\._img2\.jpg is what macOS keeps beside a file.*leave it out"):
        photographs(sorted(folder.glob("*.jpg")))


@pytest.mark.parametrize("name", ["a.JPG", "a.JPEG", "a.Jpg", "a.PNG", "a.WEBP"])
def test_endings_in_capitals_are_found(tmp_path, name):
    Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "no such file or folder; give a list of photographs, a folder, a pattern"),
        ("nowhere/*.jpg", "no file has such a name; check the pattern"),
        (b"bytes", r"this is one photograph; give a list"),
        (Image.new("RGB", (4, 4)), r"give a list of them"),
    ],
)
def test_what_holds_no_photographs_is_refused_with_a_remedy(source, message):
    with pytest.raises(InvalidRequestError, match=message):
        photographs(source)


def test_an_empty_folder_and_no_frames_are_refused(tmp_path, folder):
    with pytest.raises(InvalidRequestError, match="the folder holds no picture"):
        photographs(tmp_path / "photos" / "..")
    with pytest.raises(InvalidRequestError, match="frames: 0 is none; give 1 or more"):
        photographs(folder, frames=0)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InvalidRequestError, match="no video that OpenCV can read"):
        photographs(tmp_path / "broken.mp4")


def test_a_client_takes_them_as_they_are(server, folder):
    with Client(server.url) as client:
        client.segment(folder, points=[[1, 1]], frames=2)
    assert server.received["IMAGES"].tolist() == [(folder / name).read_bytes() for name in ("img1.PNG", "img10.jpg")]


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_the_size_of_the_upright_photograph_is_read_from_its_header(tmp_path, orientation, suffix):
    path, exif = tmp_path / f"p.{suffix}", Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.new("RGB", (16, 12)).save(path, exif=exif)
    assert upright_size(path.read_bytes()) == upright(path.read_bytes()).shape[:2]
