"""How much a message of KServe v2 would become, counted in its bytes before protobuf reads it.

Two bytes can be a whole tensor, parameter or string of some hundred bytes of memory: a message that is within its size
could take many times that.
"""

from collections.abc import Iterator

MOST_FIELDS = 1000  # of one message of any kind: tensors, parameters, strings
MOST_BYTES = 2**16  # of what is neither raw content nor typed values
MOST_VARINTS = 2**20  # bytes of typed whole numbers, which take up to eight times as many
INPUTS, RAW = 5, 7  # of ModelInferRequest
CONTENTS = 5  # of InferInputTensor
VARINTS = range(1, 6)  # of InferTensorContents
BYTES = 8  # likewise
FIXED = {1: 8, 5: 4}  # bytes by protobuf's wire type
VARINT, DELIMITED = 0, 2  # wire types


def check_request(data: bytes) -> None:
    """Counts the fields of a ModelInferRequest.

    Raises:
        ValueError: there are more than any request needs, or the bytes are no message.
    """
    small = 0
    for number, start, stop in _fields(data, 0, len(data)):
        if number == INPUTS:
            small += _check_input(data, start, stop)
        elif number != RAW:
            small += stop - start
        _check_small(small)


def check_question(data: bytes) -> None:
    """Raises ValueError where a message that holds no tensors is larger than any needs to be."""
    _check_small(len(data))


def _check_input(data: bytes, start: int, stop: int) -> int:
    """Bytes of an input but for its contents."""
    small = 0
    for number, first, last in _fields(data, start, stop):
        if number != CONTENTS:
            small += last - first
            continue
        varints = 0
        for kind, begin, end in _fields(data, first, last):
            varints += end - begin if kind in VARINTS else 0
            if varints > MOST_VARINTS:
                raise ValueError("too many whole numbers")
    return small


def _check_small(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError("too many bytes that are no contents of tensors")


def _fields(data: bytes, place: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field."""
    for _ in range(MOST_FIELDS):
        if place >= stop:
            return
        tag, place = _varint(data, place)
        kind, start = tag & 7, place
        if kind == DELIMITED:
            length, start = _varint(data, place)
            place = start + length
        elif kind == VARINT:
            _, place = _varint(data, place)
        elif kind in FIXED:
            place += FIXED[kind]
        else:
            raise ValueError("no message")
        if place > stop:
            raise ValueError("no message")
        yield tag >> 3, start, place
    if place < stop:
        raise ValueError("too many fields")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("no message")
