"""Standard output and standard error: a command does all its work, whether or not somebody reads what it prints."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class _Lenient(io.FileIO):
    """A file whose writes never fail: once one does, it and the later ones go nowhere, and the error is kept."""

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
    """Let no print within the block fail. If one of standard output would have, a block that succeeds ends with 74.

    That is the code that `sysexits.h` has for it; a line on standard error says so.
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
    """Let what was printed so far have been a notice, which need not be read."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Lenient):
        raw.error = None


def _fill_gaps() -> None:
    """Open something in the place of each of the three streams that a process was started without.

    Otherwise the next file that it opens gets the number, and with it what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Not for writing, so that it is seen that nobody gets what is printed. The lowest free number is taken.
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
