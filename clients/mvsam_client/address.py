"""Where a server is and what it is shown, as the command line says it."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

from mvsam_client.client import DEFAULT_URL, Client
from mvsam_client.command_line import seconds
from mvsam_client.connection import Tls
from mvsam_client.errors import InvalidRequestError
from mvsam_client.retries import RETRIES
from mvsam_client.wire import HERE, metadata_of

TOKEN = "MVSAM_TOKEN"


@dataclass(frozen=True)
class Address:
    """One server.

    Attributes:
        url: HOST:PORT of its gRPC endpoint.
        token: to be let in with.
        tls: for an encrypted connection.
        timeout: seconds for an answer.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    timeout: float = 600.0

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Address":
        """From the options of `add_connection`.

        Raises:
            InvalidRequestError: the file of the token cannot be read, or one of certificate and key is missing.
        """
        files = (options.tls_ca, options.tls_cert, options.tls_key)
        if (options.tls_cert is None) != (options.tls_key is None):
            raise InvalidRequestError("--tls-cert and --tls-key go together; give both or neither")
        tls = Tls(*files) if options.tls or any(files) else None
        return cls(options.url, _token(options.token_file), tls, options.timeout)

    @property
    def host(self) -> str:
        """Its name or number."""
        return self.url.rpartition(":")[0].strip("[]")

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return self.host in HERE

    @property
    def port(self) -> int | None:
        """Its number; None where the URL names none."""
        digits = self.url.rpartition(":")[2]
        return int(digits) if digits.isascii() and digits.isdigit() and 0 < int(digits) < 1 << 16 else None

    def client(self, retries: int = RETRIES) -> Client:
        """A connection.

        Args:
            retries: see `Client`.

        Raises:
            InvalidRequestError: the address is none, or a file of `tls` cannot be read.
        """
        return Client(self.url, token=self.token, tls=self.tls, retries=retries)


def add_connection(parser: argparse.ArgumentParser, timeout: float) -> None:
    """The options that say which server, and as whom.

    Args:
        parser: that gets them.
        timeout: the default, in seconds.
    """
    group = parser.add_argument_group("server")
    group.add_argument("--url", default=DEFAULT_URL, metavar="HOST:PORT", help="gRPC endpoint (default %(default)s)")
    group.add_argument(
        "--timeout",
        default=timeout,
        type=seconds,
        metavar="SECONDS",
        help="for an answer, or inf (default %(default).0f)",
    )
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the token of a server that asks for one (or MVSAM_TOKEN)"
    )
    group.add_argument("--tls", action="store_true", help="encrypt; the server's certificate must be one you trust")
    group.add_argument("--tls-ca", type=Path, metavar="FILE", help="PEM of who signed the server's certificate")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM of your own certificate")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM of your own key")


def _token(path: Path | None) -> str | None:
    """The token of a file, or of the environment; surrounding white space is none of it.

    Raises:
        InvalidRequestError: the file cannot be read, or it holds no token that can be sent.
    """
    place = TOKEN if path is None else f"--token-file {path}"
    try:
        token = os.environ.get(TOKEN, "").strip() if path is None else path.read_bytes().decode("utf-8-sig").strip()
    except OSError as error:
        raise InvalidRequestError(f"{place}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InvalidRequestError(f"{place}: this is no text in UTF-8; save it as UTF-8") from None
    if path is None and not token:
        return None
    try:
        metadata_of(token)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error).replace("token", place, 1)) from None
    return token
