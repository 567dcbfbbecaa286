"""HTTP/2 by hand: messages that break off or claim to be compressed, and more calls than any client opens."""

import re
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8  # kinds of frames
END_STREAM, ACKNOWLEDGED, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32  # flags
INITIAL_WINDOW, OWN_WINDOW = 4, 2**31 - 1  # the setting of that number; what is read at once by those who read
FRAME = 2**14  # bytes at most
STATUS = re.compile(rb"grpc-status(?:\x01(\d)|\x02(\d\d))")
SERVICE = "/inference.GRPCInferenceService/"


class Ended(Exception):  # noqa: N818
    """The connection, or the call, was ended by the server; the message says how."""


class Late(Ended):
    """The server has not done its part in time."""


class Connection:
    """One connection; used from one thread.

    Args:
        url: HOST:PORT.
        window: bytes of answers that the server may send unasked, by call.
        patience: seconds that sending and receiving may take each.
    """

    def __init__(self, url: str, window: int = 2**16 - 1, patience: float = 10.0) -> None:
        host, _, port = url.rpartition(":")
        self._authority, self._patience = url, patience
        self._socket = socket.create_connection((host, int(port)), timeout=patience)
        self._buffer = bytearray()
        self._room = 2**16 - 1  # bytes that may be sent, in all
        self._initial = 2**16 - 1  # and by call
        self._rooms: dict[int, int] = {}
        self._next = 1
        self.statuses: dict[int, str] = {}  # by call: gRPC's number, or how else it ended
        self.received: dict[int, int] = {}  # by call: bytes of answers
        setting = struct.pack(">HI", INITIAL_WINDOW, window)
        self._send(PREFACE + _frame(SETTINGS, 0, 0, setting))

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    @property
    def calls(self) -> int:
        """How many were opened."""
        return self._next // 2

    def call(self, method: str, token: str | None = None, encoding: str = "") -> int:
        """Opens a call of a method of KServe v2, or of another by its path; returns its number."""
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": method if method.startswith("/") else SERVICE + method,
            ":authority": self._authority,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        if encoding:
            headers["grpc-encoding"] = encoding
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        number, self._next = self._next, self._next + 2
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
        self._send(_frame(HEADERS, END_HEADERS, number, block))
        self._rooms[number] = self._initial
        return number

    def message(self, call: int, message: bytes, compressed: bool = False, declared: int | None = None) -> None:
        """Sends a message of gRPC, or what pretends to be one.

        Args:
            call: whose it is.
            message: its bytes.
            compressed: as which it is declared.
            declared: how many bytes it is said to have; as many as it has where absent.

        Raises:
            Ended: the server ended call or connection, or did not take all in time.
        """
        length = len(message) if declared is None else declared
        self.send(call, struct.pack(">?I", compressed, length) + message)

    def send(self, call: int, data: bytes) -> None:
        """Sends bytes on a call, as fast as the server lets; raises Ended as `message` does."""
        place, until = 0, time.monotonic() + self._patience
        while place < len(data):
            size = min(FRAME, len(data) - place, self._room, self._rooms[call])
            if size > 0:
                self._send(_frame(DATA, 0, call, data[place : place + size]))
                self._room -= size
                self._rooms[call] -= size
                place += size
            else:
                self._read_one(until)
            if call in self.statuses:
                raise Ended(self.statuses[call])

    def finish(self, call: int) -> None:
        """Says that nothing more comes on a call."""
        self._send(_frame(DATA, END_STREAM, call, b""))

    def status(self, call: int, within: float) -> str:
        """Waits until a call has ended; gRPC's number, or in words how it ended otherwise."""
        until = time.monotonic() + within
        try:
            while call not in self.statuses:
                self._read_one(until)
        except Ended as ended:
            return str(ended)
        return self.statuses[call]

    def read_until(self, until: float) -> None:
        """Reads what has come, and what comes until a time by time.monotonic or the end of all calls.

        Raises:
            Ended: the server has ended the connection.
        """
        while len(self.statuses) < self.calls:
            try:
                self._read_one(until)
            except Late:
                return

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise Late("not read") from None
        except OSError as error:
            raise Ended(type(error).__name__) from None

    def _read_one(self, until: float) -> None:
        """Reads one frame and takes it into account."""
        head = self._take(9, until)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        call = int.from_bytes(head[5:9], "big")
        content = self._take(length, until)
        if kind == SETTINGS and not flags & ACKNOWLEDGED:
            for place in range(0, length, 6):
                name, value = struct.unpack_from(">HI", content, place)
                if name == INITIAL_WINDOW:
                    self._rooms = {each: room + value - self._initial for each, room in self._rooms.items()}
                    self._initial = value
            self._send(_frame(SETTINGS, ACKNOWLEDGED, 0, b""))
        elif kind == PING and not flags & ACKNOWLEDGED:
            self._send(_frame(PING, ACKNOWLEDGED, 0, content))
        elif kind == WINDOW:
            size = int.from_bytes(content, "big")
            if call:
                self._rooms[call] = self._rooms.get(call, 0) + size
            else:
                self._room += size
        elif kind == RESET:
            self.statuses.setdefault(call, f"reset {int.from_bytes(content, 'big')}")
        elif kind == GOAWAY:
            raise Ended("the connection was ended")
        elif kind == DATA:
            self.received[call] = self.received.get(call, 0) + length
        elif kind == HEADERS and flags & END_STREAM:
            told = STATUS.search(content)
            self.statuses[call] = (told[1] or told[2]).decode() if told else "ended"

    def _take(self, size: int, until: float) -> bytes:
        while len(self._buffer) < size:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                more = self._socket.recv(2**16)
            except TimeoutError:
                raise Late("not answered in time") from None
            except OSError as error:
                raise Ended(type(error).__name__) from None
            finally:
                self._socket.settimeout(self._patience)
            if not more:
                raise Ended("the connection was ended")
            self._buffer += more
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _frame(kind: int, flags: int, call: int, content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + call.to_bytes(4, "big") + content


def _text(text: str) -> bytes:
    """A string of HPACK, not compressed, of 126 bytes at most."""
    encoded = text.encode()
    assert len(encoded) < 127, text
    return bytes([len(encoded)]) + encoded
