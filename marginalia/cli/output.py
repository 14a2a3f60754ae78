"""Standard output and standard error: a command finishes its work even if its output cannot be written."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class _Lenient(io.FileIO):
    """A file whose writes never raise. After the first error, writes are discarded and the error is kept."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


@contextmanager
def lenient() -> Iterator[None]:
    """Let no print within the block raise. If a write to standard output failed, a successful block ends with 74.

    74 is `EX_IOERR` of `sysexits.h`. A line on standard error reports it.
    """
    _fill_gaps()
    output, errors = _Lenient(1, "w", closefd=False), _Lenient(2, "w", closefd=False)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _text(output, sys.stdout), _text(errors, sys.stderr)
    code: object = 0
    try:
        yield
    except SystemExit as end:
        code = end.code
        raise
    finally:
        sys.stdout.flush()
        if output.error is not None:
            sys.stderr.write(f"marginalia: Not all of the output could be written: {output.error.strerror}\n")
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
        if output.error is not None and not code:
            raise SystemExit(os.EX_IOERR)


def forgive() -> None:
    """Forget the write error so far: what was printed until now is only a notice."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Lenient):
        raw.error = None


def _fill_gaps() -> None:
    """Open /dev/null in place of each standard stream that the process was started without.

    Otherwise the next file that is opened gets the descriptor, and with it the output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Read-only, so that a write fails and is noticed. open() takes the lowest free descriptor.
            os.open(os.devnull, os.O_RDONLY)


def _text(raw: _Lenient, like: TextIO | None) -> TextIO:
    like = cast(io.TextIOWrapper | None, like)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=like.encoding if like else "utf-8",
        errors=like.errors if like else "replace",
        line_buffering=raw.isatty(),
        write_through=bool(like and like.write_through),
    )
