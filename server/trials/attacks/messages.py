"""Messages that are small on the wire and large, or long to look at, behind it."""

import functools
import struct
import zlib

from server.trials.attacks.http2 import Connection, Ended
from server.trials.attacks.target import Attack, Outcome, Target, words
from server.trials.load import together

BLOCK, BLOCKS = 2**24, 100
INFLATED = BLOCK * BLOCKS  # bytes, of 1.6 MB on the wire
CALLS = 4
INFER = "/v2/models/mvsam/infer"
SIDES = 100_000
SOON = 5.0  # seconds for a refusal


@functools.cache
def inflating(form: str) -> bytes:
    """Zeros, compressed: gzip or deflate. Blocks of them are all alike, so one is compressed and repeated."""
    zeros = bytes(BLOCK)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(zeros) + compressor.flush(zlib.Z_FULL_FLUSH)
    is_gzip = form == "gzip"
    add, check = (zlib.crc32, 0) if is_gzip else (zlib.adler32, 1)
    for _ in range(BLOCKS):
        check = add(zeros, check)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" if is_gzip else b"\x78\xda"
    tail = struct.pack("<II", check, INFLATED % 2**32) if is_gzip else struct.pack(">I", check)
    return head + block * BLOCKS + b"\x03\0" + tail


def inflated_over_grpc(target: Target, owner: str | None) -> Outcome:
    """Four calls at once for each way of compression."""
    statuses: list[str] = []
    token = target.tokens[owner] if owner else None

    def work(number: int) -> None:
        form = "gzip" if number % 2 else "deflate"
        connection = Connection(target.service.grpc_url, patience=30)
        try:
            call = connection.call("ModelInfer", token, form)
            connection.message(call, inflating(form), compressed=True)
            connection.finish(call)
            statuses.append(connection.status(call, 30))
        except Ended as ended:
            statuses.append(str(ended))
        finally:
            connection.close()

    for form in ("gzip", "deflate"):
        inflating(form)
    together(CALLS, work)
    return Outcome(f"{CALLS} calls: {words(statuses)}", set(statuses) <= {"12", "16", "the connection was ended"})


def inflated_over_http(target: Target, owner: str | None) -> Outcome:
    """The same as bodies of HTTP."""
    statuses: list[str] = []

    def work(number: int) -> None:
        form = "gzip" if number % 2 else "deflate"
        headers = {"Content-Encoding": form} | ({"authorization": f"Bearer {target.tokens[owner]}"} if owner else {})
        statuses.append(target.http(INFER, inflating(form), headers)[0])

    together(CALLS, work)
    allowed = {"400"} if owner else {"401"}
    return Outcome(
        f"{CALLS} bodies: {words(statuses)}", set(statuses) <= allowed | {"BrokenPipeError", "ConnectionResetError"}
    )


ATTACKS = [
    Attack(
        f"1.6 MB that inflate to 1.6 GB, {CALLS} at once, gRPC, {who} token: refused, not inflated",
        functools.partial(inflated_over_grpc, owner=owner),
    )
    for who, owner in (("without a", None), ("with a", "attacker"))
] + [
    Attack(
        f"1.6 MB that inflate to 1.6 GB, {CALLS} at once, HTTP, {who} token: refused, not inflated",
        functools.partial(inflated_over_http, owner=owner),
    )
    for who, owner in (("without a", None), ("with a", "attacker"))
]
