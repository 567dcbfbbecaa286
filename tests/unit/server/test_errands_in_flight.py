"""What is on its way to and from Triton: answers nobody reads, work nobody waits for, and whose it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mvsam.runtime.ownership import OWNER
from server.doorman import ANYBODY, AT_ONCE, Doorman, Refused, Token
from server.errands import Errands
from server.limits import EntryLimits
from server.measures import Measures
from server.signatures import read_signatures
from tests.server.wire import files, good, request
from tests.unit.server.listening import listening

messages: Any = service_pb2
REPOSITORY = Path(__file__).parents[3] / "model_repository"
PARTS, PART = 20, 2**17
ENCODE = request("mvsam_scene", {"ACTION": files(b"encode"), "IMAGES": good("mvsam")["IMAGES"]}, ("SCENE",))
ONE_SHOT = request("mvsam", good("mvsam"), ("AREAS",))
STUDIO = Token("studio", "", requests_per_minute=60, at_once=32)


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers scenes in large parts, and ensembles when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.sent, self.cancelled, self.go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.begun = asyncio.Condition()

    async def ModelStreamInfer(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for each in requests:
            self.asked.append(each)
            if each.inputs[0].name == "ACTION" and each.raw_input_contents[0].endswith(b"cancel"):
                self.cancelled.set()
                return
            if each.inputs[0].name == "ACTION" and each.raw_input_contents[0].endswith(b"segment"):
                async with self.begun:
                    self.begun.notify_all()
                await self.go_on.wait()
                yield messages.ModelStreamInferResponse(infer_response=messages.ModelInferResponse())
                return
            for _ in range(PARTS):
                answer = messages.ModelInferResponse(raw_output_contents=[bytes(PART)])
                yield messages.ModelStreamInferResponse(infer_response=answer)
            self.sent.set()

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        async with self.begun:
            self.asked.append(request)
            self.begun.notify_all()
        await self.go_on.wait()
        return messages.ModelInferResponse(id=request.id)


async def ended(errands: Errands) -> None:
    """Returns when nothing runs any more."""
    while errands._running:
        await asyncio.sleep(0.001)


Act = Callable[[Errands, Triton], Awaitable[None]]


def served(act: Act, limits: EntryLimits, is_ready: bool = True) -> None:
    @asynccontextmanager
    async def serving() -> AsyncIterator[tuple[Errands, Triton]]:
        triton, server = Triton(), grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
        doorman = Doorman(None)
        measures = Measures(lambda: True, lambda: doorman.inside, {})
        signatures = read_signatures(REPOSITORY)
        async with listening(server) as address:
            errands = Errands(address, lambda: is_ready, doorman, signatures, measures, limits=limits)
            try:
                yield errands, triton
            finally:
                await errands.close()

    async def limited() -> None:
        async with asyncio.timeout(60), serving() as (errands, triton):
            await act(errands, triton)

    asyncio.run(limited())


def copied(message: Any, request_id: str = "") -> Any:
    copy = messages.ModelInferRequest()
    copy.CopyFrom(message)
    copy.id = request_id
    return copy


def test_answers_that_nobody_reads_are_not_kept_beyond_their_room():
    async def act(errands: Errands, triton: Triton) -> None:
        answers = errands.run(copied(ENCODE), ANYBODY)
        await anext(answers)
        await triton.sent.wait()
        await triton.cancelled.wait()  # the model is told, too
        read = 0
        with pytest.raises(Refused, match="more answers wait to be read than there is room for") as refused:
            async for _ in answers:
                read += 1
        assert refused.value.status is grpc.StatusCode.UNAVAILABLE and 0 < read < PARTS / 2
        with errands.holding(ANYBODY, 2**20):  # all room is free again
            pass

    served(act, EntryLimits(in_flight_mib=1))


def test_answers_that_are_read_have_room_whatever_they_are_together():
    async def act(errands: Errands, triton: Triton) -> None:
        assert len([answer async for answer in errands.run(copied(ENCODE), ANYBODY)]) == PARTS

    served(act, EntryLimits(in_flight_mib=4))


def test_who_leaves_answers_behind_gives_their_room_back():
    async def act(errands: Errands, triton: Triton) -> None:
        answers = errands.run(copied(ENCODE), ANYBODY)
        await anext(answers)
        await answers.aclose()
        await triton.sent.wait()
        await triton.cancelled.wait()  # the model is told, too
        await ended(errands)
        with errands.holding(ANYBODY, 4 * 2**20):
            pass

    served(act, EntryLimits(in_flight_mib=4))


def test_a_request_that_was_left_counts_until_its_work_has_ended():
    async def act(errands: Errands, triton: Triton) -> None:
        asked = copied(ONE_SHOT)
        asking = asyncio.create_task(anext(errands.run(asked, ANYBODY)))
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) > 0)
        asking.cancel()
        await asyncio.wait({asking})
        room = 2**20 - asked.ByteSize()
        with pytest.raises(Refused, match="too many bytes"), errands.holding(ANYBODY, room + 1):
            pass
        with errands.holding(ANYBODY, room):
            triton.go_on.set()
        await ended(errands)
        with errands.holding(ANYBODY, 2**20):
            pass

    served(act, EntryLimits(in_flight_mib=1))


def test_a_token_has_half_of_the_room():
    async def act(errands: Errands, triton: Triton) -> None:
        with errands.holding(STUDIO, 2**20):
            with pytest.raises(Refused, match="try again in a second") as refused, errands.holding(STUDIO, 1):
                pass
            assert (refused.value.status, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "bytes")
            with errands.holding(Token("other", ""), 2**20):
                pass

    served(act, EntryLimits(in_flight_mib=2))


def test_an_answer_counts_until_its_call_has_ended():
    class Call:
        def add_done_callback(self, callback: Callable[[Any], None]) -> None:
            self.done = callback

    async def act(errands: Errands, triton: Triton) -> None:
        answer, call = messages.ModelInferResponse(raw_output_contents=[bytes(2**20)]), Call()
        errands.hold_until_done(answer, ANYBODY, call)
        with pytest.raises(Refused, match="more answers wait to be read"):
            errands.hold_until_done(answer, ANYBODY, Call())
        call.done(None)
        errands.hold_until_done(answer, ANYBODY, Call())

    served(act, EntryLimits(in_flight_mib=4))


def test_one_shots_that_nobody_waits_for_are_not_begun():
    async def act(errands: Errands, triton: Triton) -> None:
        async def ask() -> list[Any]:
            return [answer async for answer in errands.run(copied(ONE_SHOT), ANYBODY)]

        waiting = [asyncio.create_task(ask()) for _ in range(8)]
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 2)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        last = asyncio.create_task(ask())
        triton.go_on.set()
        assert len(await last) == 1
        assert len(triton.asked) == 3, "the two that had begun, and the last"

    served(act, EntryLimits(one_shots=2))


def click(encoding: bytes, *outputs: str) -> Any:
    clicks = {name: tensor for name, tensor in good("mvsam").items() if name.startswith("POINT")}
    tensors = {"ACTION": files(b"segment"), "SCENE": files(b"0" * 32), **clicks, "ENCODING": files(encoding)}
    return request("mvsam_scene", tensors, outputs)


@pytest.mark.parametrize("long", [click(b"raw", "MASKS"), click(b"packed", "MASKS")])
def test_one_long_answer_is_made_at_once_and_short_ones_beside_it(long: Any):
    async def act(errands: Errands, triton: Triton) -> None:
        async def ask(message: Any) -> None:
            async for _ in errands.run(copied(message), ANYBODY):
                pass

        asked = [asyncio.create_task(ask(long)) for _ in range(6)]
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 1)
        asked += [asyncio.create_task(ask(click(b"rle", "MASKS"))) for _ in range(3)]
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 4)
        triton.go_on.set()
        await asyncio.gather(*asked)
        assert len(triton.asked) == 9
        assert all(each.raw_input_contents[-1].endswith(b"rle") for each in triton.asked[1:4])

    served(act, EntryLimits())


def test_one_shots_that_were_left_have_left_their_places():
    async def act(errands: Errands, triton: Triton) -> None:
        async def ask() -> list[Any]:
            return [answer async for answer in errands.run(copied(ONE_SHOT), ANYBODY)]

        async def come_in() -> None:
            for _ in range(20):  # turns of the event loop: nothing here waits for anything else
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(ask()) for _ in range(AT_ONCE["mvsam"])]
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 1)
        with pytest.raises(Refused, match="16 requests are being served already"):
            await ask()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await come_in()
        last = asyncio.create_task(ask())
        await come_in()
        triton.go_on.set()
        assert len(await last) == 1

    served(act, EntryLimits(one_shots=1))


def test_who_waits_for_a_process_that_was_lost_is_told_so_whether_it_had_begun_or_not():
    async def act(errands: Errands, triton: Triton) -> None:
        async def ask() -> str:
            with pytest.raises(Refused) as refused:
                await anext(errands.run(copied(ONE_SHOT), ANYBODY))
            return str(refused.value)

        tasks = [asyncio.create_task(ask()) for _ in range(2)]
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 1)
        errands.abandon("mvsam_scene")
        assert not any(task.done() for task in tasks), "another model's loss is not theirs"
        errands.abandon("mvsam")
        told = await asyncio.gather(*tasks)
        assert all(text.startswith("the process that served this request was lost; try again") for text in told)

    served(act, EntryLimits(one_shots=1))


def test_tokens_take_turns_in_the_ensembles():
    async def act(errands: Errands, triton: Triton) -> None:
        async def ask(token: Token, name: str) -> None:
            async for _ in errands.run(copied(ONE_SHOT, name), token):
                done.append(name)

        done: list[str] = []
        tokens = {name: Token(name, "") for name in ("a", "b")}
        tasks = []
        for name in ("a1", "a2", "a3", "b1"):
            tasks.append(asyncio.create_task(ask(tokens[name[0]], name)))
            await asyncio.sleep(0)
        async with triton.begun:
            await triton.begun.wait_for(lambda: len(triton.asked) == 1)
        triton.go_on.set()
        await asyncio.wait(tasks)
        assert done.index("b1") < done.index("a3")

    served(act, EntryLimits(one_shots=1))


def test_a_long_id_is_refused():
    async def act(errands: Errands, triton: Triton) -> None:
        with pytest.raises(Refused, match="the request's id has 257 characters; use at most 256"):
            await anext(errands.run(copied(ONE_SHOT, "x" * 257), ANYBODY))

    served(act, EntryLimits())


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (request("pi3", good("mvsam"), ("AREAS",)), "there is no model 'pi3'"),
        (request("mvsam", {"IMAGES": good("mvsam")["IMAGES"]}, ("AREAS",)), "POINTS is missing"),
        (request("mvsam", good("mvsam") | {"x y": files(b"")}, ("AREAS",)), "not the name of a tensor"),
        (request("mvsam_scene", {"ACTION": files(b"load")}, ("SCENE",)), "ACTION is unknown; give one of encode"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_before_triton_is_asked(message: Any, says: str):
    async def act(errands: Errands, triton: Triton) -> None:
        with pytest.raises(Refused, match=says):
            await anext(errands.run(copied(message), ANYBODY))
        assert triton.asked == []

    served(act, EntryLimits())


def test_a_triton_that_is_not_ready_is_not_asked():
    async def act(errands: Errands, triton: Triton) -> None:
        with pytest.raises(Refused, match="the service is not ready; try again"):
            await anext(errands.run(copied(ONE_SHOT), ANYBODY))
        assert triton.asked == []

    served(act, EntryLimits(), is_ready=False)


def test_the_model_is_told_whose_a_scene_is():
    async def act(errands: Errands, triton: Triton) -> None:
        async for _ in errands.run(copied(ENCODE), STUDIO):
            pass
        assert triton.asked[0].parameters[OWNER].string_param == "studio"
        sent = copied(ENCODE)
        sent.parameters[OWNER].string_param = "another"
        with pytest.raises(Refused, match="the request has the parameter"):
            await anext(errands.run(sent, STUDIO))

    served(act, EntryLimits())
