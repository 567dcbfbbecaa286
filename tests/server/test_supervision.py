"""Lost processes: the service says so, tells those who waited, and is back by itself.

How soon is for `make faults` to measure; here each step only has to come, however slow the machine.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mvsam.cores import available_cores
from mvsam_client import Click, Client, MvsamError, ServerUnavailableError, UnknownSceneError
from server.stubs import Stub, stubs_of
from server.trials.running import Served, served
from tests.waiting import PATIENCE, wait_until

CLICK = [Click(view=0, x=5, y=5)]


@pytest.fixture(scope="module")
def service(demo_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(demo_repository, tmp_path_factory.mktemp("supervision") / "triton.log") as service:
        yield service


def stub_of(service: Served, model: str) -> Stub:
    return next(stub for stub in stubs_of(service.triton().pid) if stub.model == model)


@contextlib.contextmanager
def replaced(service: Served) -> Iterator[None]:
    """Waits until what is done inside has cost a process, and the service is ready with another."""
    before = service.restarts()
    yield
    wait_until(lambda: service.restarts() > before and service.is_ready())


def assert_serves(service: Served, photographs: list[bytes]) -> None:
    with Client(service.grpc_url) as client, client.encode(photographs[:2], timeout=PATIENCE) as scene:
        assert len(scene.segment(points=CLICK, timeout=PATIENCE).masks[0]) == 2
        assert len(client.segment(photographs[:2], points=CLICK, timeout=PATIENCE).masks[0]) == 2


def test_what_encodes_scenes_gives_way_to_clicks(service):
    """By the thread that computes, and by those that help it: as many as there are cores."""
    own, cores = psutil.Process().nice(), available_cores()
    for model, more in (("pi3", 5), ("sam2_encoder", 5), ("mvsam_scene", 0), ("mask_decoder", 0)):
        pid = stub_of(service, model).process.pid
        threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
        found = [os.getpriority(os.PRIO_PROCESS, thread) - own for thread in threads]
        assert os.getpriority(os.PRIO_PROCESS, pid) - own == more and found.count(more) >= cores, model


@pytest.mark.parametrize("model", ["mvsam_scene", "sam2_encoder", "postprocess"])
def test_a_killed_model_is_back(service, photographs, model):
    with replaced(service):
        stub_of(service, model).kill()
    assert_serves(service, photographs)


def test_a_stopped_model_is_noticed_and_replaced(service, photographs):
    with replaced(service):
        os.kill(stub_of(service, "mask_decoder").process.pid, signal.SIGSTOP)
    assert_serves(service, photographs)


def test_a_busy_model_is_not_taken_for_a_hung_one(service, photographs):
    pid = stub_of(service, "pi3").process.pid
    with Client(service.grpc_url) as client:
        for _ in range(3):
            client.encode(photographs * 8, timeout=PATIENCE).close()
    assert stub_of(service, "pi3").process.pid == pid


def test_a_killed_server_is_back(service, photographs):
    with replaced(service):
        service.triton().kill()
        wait_until(lambda: not service.is_ready())
    assert_serves(service, photographs)


def test_who_waited_for_a_lost_process_is_told_and_its_scenes_are_gone(service, photographs):
    client = Client(service.grpc_url, retries=0, reencode=False)
    scene = client.encode(photographs[:1])
    errors: list[Exception] = []

    def encode() -> None:
        try:
            client.encode(photographs * 10, timeout=PATIENCE)
        except MvsamError as error:
            errors.append(error)

    thread = threading.Thread(target=encode)
    thread.start()
    wait_until(lambda: service.metric('mvsam_requests_inside{model="mvsam_scene"}') > 0)
    with replaced(service):
        stub_of(service, "mvsam_scene").kill()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(errors) == 1 and "try again" in str(errors[0]), errors
    with pytest.raises(UnknownSceneError):
        scene.segment(points=CLICK)


def test_requests_inside_are_answered_before_the_end(demo_repository, photographs, tmp_path):
    answers: list[object] = []
    with served(demo_repository, tmp_path / "triton.log") as service:
        client = Client(service.grpc_url, retries=0, reencode=False)
        scene = client.encode(photographs)

        def click() -> None:
            while True:
                try:
                    answers.append(scene.segment(points=CLICK))
                except MvsamError as error:
                    answers.append(error)
                    return

        threads = [threading.Thread(target=click) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 20)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE) == 0
        for thread in threads:
            thread.join(PATIENCE)
    failures = [answer for answer in answers if isinstance(answer, MvsamError)]
    assert len(failures) == 4, "each client was refused once, at the end"
    assert all(isinstance(error, ServerUnavailableError) for error in failures), failures
    assert not list(Path("/dev/shm").glob(f"mvsam_{service.process.pid}_*"))
