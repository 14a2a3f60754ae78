"""Request heads: which ones the HTTP parser accepts, and we refuse."""

from collections.abc import Sequence

Headers = Sequence[tuple[bytes, bytes]]

MAX_HEAD_BYTES = 65_536
"""The maximum size of a request line with its headers. The parser has no limit of its own."""


class MalformedHead(Exception):
    """The head of a request is not one that this server reads."""


def check(read: bytes | bytearray, method: bytes, target: bytes, version: str, headers: Headers) -> None:
    """Check the head of a request; `read` holds it as it came. Raises `MalformedHead`."""
    names = [name for name, _ in headers]
    # The parser takes other protocols (RTSP, ICE), HTTP/0.9 and 2.0, and more spaces for the same.
    line = b"%b %b HTTP/%b\r\n" % (method, target, version.encode())
    hosts = names.count(b"host")
    if (
        version not in ("1.0", "1.1")
        or line not in read
        or method == b"CONNECT"
        or hosts > 1
        or (not hosts and version == "1.1")
        or (b"transfer-encoding" in names and not _is_chunked(version, names, headers))
    ):
        raise MalformedHead


def _is_chunked(version: str, names: Sequence[bytes], headers: Headers) -> bool:
    """Tell whether the body is in chunks, and nothing else could be meant. Otherwise a proxy may see another request.

    The parser passes on other codings, which we would take for text.
    """
    coding = dict(headers)[b"transfer-encoding"].lower()
    return version == "1.1" and coding == b"chunked" and b"content-length" not in names


def without_upgrade(method: bytes, target: bytes, version: str, headers: Headers) -> bytes:
    """Return the head of a request without the wish for another protocol."""
    lines = [b"%b: %b\r\n" % field for field in headers if field[0] != b"upgrade"]
    return b"".join([b"%b %b HTTP/%b\r\n" % (method, target, version.encode()), *lines, b"\r\n"])
