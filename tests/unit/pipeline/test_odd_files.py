"""Every odd file is refused at once, by a message of its own."""

import time

import pytest

from mvsam.pipeline.checks import check_request
from mvsam.pipeline.errors import RequestError
from mvsam.pipeline.images import decode_photograph
from mvsam.pipeline.limits import Limits
from server.trials.odd_files import odd_files

FILES = dict(odd_files())


def test_there_are_enough_kinds():
    assert len(FILES) >= 40


@pytest.mark.parametrize("name", FILES)
def test_an_odd_file_is_refused_at_once(name):
    started = time.process_time()
    with pytest.raises(RequestError, match=r"IMAGES: view 0 .*(; send|; save|compress it)"):
        check_request([FILES[name]], None, Limits())
        decode_photograph(FILES[name], "IMAGES: view 0")
    assert time.process_time() - started < 1, "it would keep a server busy"
