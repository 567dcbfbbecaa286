"""Tells the type of a file by its first bytes; its name never decides."""

from enum import Enum

HEAD = 1024  # bytes that are enough to tell


class FileType(Enum):
    """Lists the types that readers of photographs tell apart."""

    SENT = "a JPEG, PNG or WebP picture"  # which the server decodes
    HEIC = "a HEIC picture"
    AVIF = "an AVIF picture"
    VIDEO = "a video"
    TWIN = "what macOS keeps beside a file of the same name without ._"
    OTHER = "something else, perhaps a picture"


_SENT = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # brands of ISO's media files
_AVIF = (b"avif", b"avis")
_TWIN = b"\0\x05\x16\x07"  # AppleDouble
_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # QuickTime's first ones
_VIDEO = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # WMV
    b"\x06\x0e\x2b\x34",  # MXF
)
_RIFF_VIDEO = (b"AVI ", b"AVIX")
_SYNC = 0x47  # at the start of each packet of an MPEG transport stream
_PACKETS = ((0, 188), (4, 192))  # where the first begins, and their length


def file_type(data: bytes) -> FileType:
    """Returns what a file is.

    Args:
        data: its first HEAD bytes, or all of it.
    """
    if data.startswith(_SENT) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        return FileType.SENT
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        # A brand for any picture is made precise by those that follow.
        brands = {data[start : start + 4] for start in range(16, min(int.from_bytes(data[:4], "big"), HEAD), 4)}
        if brand in _AVIF or (brand in (b"mif1", b"msf1") and brands & {*_AVIF}):
            return FileType.AVIF
        return FileType.HEIC if brand in _HEIC else FileType.VIDEO
    if data.startswith(_TWIN):
        return FileType.TWIN
    is_riff = data.startswith(b"RIFF") and data[8:12] in _RIFF_VIDEO
    return FileType.VIDEO if is_riff or data.startswith(_VIDEO) or _is_stream(data) else FileType.OTHER


def _is_stream(data: bytes) -> bool:
    """Returns whether data is QuickTime without a brand, or an MPEG transport stream."""
    if data[4:8] in _BOXES:
        return True
    return any(
        len(data) > start + 2 * length and data[start] == data[start + length] == data[start + 2 * length] == _SYNC
        for start, length in _PACKETS
    )
