"""The client sends what the contract says, reads the answer and turns every failure into a named error."""

import re
import socket
import threading
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from mvsam_client import (
    Box,
    Click,
    Client,
    DeadlineExceededError,
    Geometry,
    InvalidRequestError,
    MaskPrompt,
    MvsamError,
    ServerError,
    ServerUnavailableError,
)
from mvsam_client.images import upright

CLICK = [Click(0, 10, 10)]


def test_masks_come_back_at_each_photographs_upright_size(server, photographs):
    with Client(server.url) as client:
        result = client.segment(photographs, points=[*CLICK, Click(1, 4, 4, object=1)])
    sizes = [(60, 80), (64, 48), (50, 50)]
    assert result.sizes.tolist() == [list(size) for size in sizes]
    for row in result.masks:
        for view, (mask, size) in enumerate(zip(row, sizes, strict=True)):
            np.testing.assert_array_equal(mask, server.expected_mask(view, *size))
    assert result.scores.shape == result.areas.shape == (2, 3)
    assert result.extra == {}


def test_files_are_sent_untouched(server, photographs):
    with Client(server.url) as client:
        client.segment(photographs, points=CLICK)
    assert server.model == "mvsam"
    assert server.received["IMAGES"].tolist() == [path.read_bytes() for path in photographs]
    assert server.received["ENCODING"].tolist() == [b"rle"]


def test_every_form_of_a_photograph_means_the_same_picture(server, photographs):
    """The one with an EXIF orientation included."""
    path = photographs[1]
    with Image.open(path) as picture:
        forms = [path, str(path), path.read_bytes(), picture, upright(path.read_bytes())]
        with Client(server.url) as client:
            client.segment(forms, points=CLICK)
    for sent in server.received["IMAGES"]:
        np.testing.assert_array_equal(upright(sent), upright(path.read_bytes()))


def test_boxes_masks_and_geometry_reach_the_server(server, photographs):
    points = np.random.default_rng(0).normal(size=(3, 6, 8, 3)).astype(np.float32)
    valid = points[..., 0] > 0
    with Client(server.url) as client:
        client.segment(
            photographs,
            boxes=[Box(1, 1, 2, 30, 40)],
            masks=[MaskPrompt(0, np.ones((60, 80), bool))],
            geometry=Geometry(points, valid=valid),
        )
    assert server.model == "mvsam_pointmap"
    np.testing.assert_array_equal(server.received["points"], points)
    np.testing.assert_array_equal(server.received["VALID"], valid)
    np.testing.assert_array_equal(server.received["BOXES"], np.array([[1, 2, 30, 40]], np.float32))
    assert server.received["MASK_VIEWS"].tolist() == [0]


def test_further_outputs_are_asked_for_only_on_request(server, photographs):
    with Client(server.url) as client:
        client.segment(photographs, points=CLICK)
        assert set(server.requested) == {"IMAGE_SIZES", "MASKS", "SCORES", "AREAS"}
        result = client.segment(photographs, points=CLICK, outputs=["points", "confidence"])
    assert result.extra.keys() == {"points", "confidence"}
    assert result.extra["points"].shape[:1] + result.extra["points"].shape[3:] == (3, 3)


def test_the_server_tells_who_it_is(server):
    with Client(server.url) as client:
        assert client.server == ("stand-in", "1.2.3")


def test_one_client_serves_several_threads(server, photographs):
    results = []
    with Client(server.url) as client:
        threads = [
            threading.Thread(target=lambda: results.append(client.segment(photographs, points=CLICK))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 4


STATUSES = [
    (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequestError, "view 1"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, InvalidRequestError, "send fewer or smaller photographs"),
    (grpc.StatusCode.UNAVAILABLE, ServerUnavailableError, "make serve"),
    (grpc.StatusCode.NOT_FOUND, ServerError, "load the model"),
    (grpc.StatusCode.INTERNAL, ServerError, "its log has the details"),
]


@pytest.mark.parametrize(("status", "kind", "remedy"), STATUSES)
def test_each_failure_has_its_error_with_the_servers_words_and_no_traceback(server, photographs, status, kind, remedy):
    details = (
        "[request id: <id_unknown>] in ensemble 'mvsam', POINTS: object 0 lies outside view 1\n\nAt:\n"
        '  /srv/model.py(63): execute\nTraceback (most recent call last):\n  File "/srv/model.py", line 3'
    )
    server.behaviour = lambda tensors, context: context.abort(status, details)
    with Client(server.url, retries=0) as client:
        with pytest.raises(kind, match=re.escape(remedy)) as caught:
            client.segment(photographs, points=CLICK)
        message = str(caught.value)
        assert "POINTS: object 0 lies outside view 1" in message
        assert not any(noise in message for noise in ("Traceback", "model.py", "ensemble", "request id", "\n"))
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
        server.behaviour = None
        client.segment(photographs, points=CLICK)


def test_a_slow_answer_ends_at_the_timeout(server, photographs):
    released = threading.Event()
    server.behaviour = lambda tensors, context: released.wait(10)
    with Client(server.url) as client, pytest.raises(DeadlineExceededError, match="allow more time"):
        client.segment(photographs, points=CLICK, timeout=0.3)
    released.set()


def test_a_missing_server_is_found_before_anything_is_sent(photographs):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{unused.getsockname()[1]}"
        with Client(url) as client:
            for call in (lambda: client.segment(photographs, points=CLICK), lambda: client.server):
                with pytest.raises(ServerUnavailableError, match=f"{url}.*make serve"):
                    call()


@pytest.mark.parametrize(
    "encoded", [b"\x89PNG", b"{}", b"3", b'{"size": [60, 80], "counts": "not RLE"}', b'{"counts": "4"}']
)
def test_masks_that_cannot_be_read_blame_the_versions(server, photographs, encoded):
    server.replaced = {"MASKS": np.full((1, 3), encoded, object)}
    with Client(server.url) as client, pytest.raises(ServerError, match=r"MASKS: no COCO RLE.*update the older"):
        client.segment(photographs, points=CLICK)


def test_a_missing_output_is_named(server, photographs):
    server.withheld = "SCORES"
    with Client(server.url) as client, pytest.raises(ServerError, match="left out SCORES"):
        client.segment(photographs, points=CLICK)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "at least one photograph"),
        ("photo.jpg", "give a list"),
        ([Path("nowhere.jpg")], "photograph 0: nowhere.jpg cannot be read"),
        ([np.zeros((4, 4, 3))], r"photograph 0: the array is float64 \[4, 4, 3\]; give uint8"),
        ([np.zeros((4, 4), np.uint8)], r"photograph 0: the array is uint8 \[4, 4\]; give uint8"),
        ([3], "photograph 0: an object of type int is no picture"),
        ([Path(".")], "photograph 0: . is a folder"),
    ],
)
def test_photographs_that_are_none_never_reach_the_server(server, images, message):
    with Client(server.url) as client, pytest.raises(InvalidRequestError, match=message):
        client.segment(images, points=CLICK)
    assert server.calls == 0


def test_a_web_address_is_refused_with_the_right_form():
    with pytest.raises(MvsamError, match="HOST:PORT"):
        Client("http://127.0.0.1:8000")


def test_the_readmes_example_runs(server, photographs, monkeypatch, capsys):
    monkeypatch.chdir(photographs[0].parent.parent)
    readme = (Path(__file__).parents[2] / "clients" / "README.md").read_text()
    example, *_ = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(example.replace("127.0.0.1:8001", server.url), "README.md", "exec"), {})
    assert capsys.readouterr().out.count("image") == len(photographs)
