"""The file of an SQLite database: made for its owner alone, never opened with the write-ahead log of another file."""

import contextlib
import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiosqlite

from db.connection.errors import UnusableFile

Identity = tuple[int, int]
"""The device and the inode of a file."""

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700

_in_use: Counter[Identity] = Counter()
"""How many connections of this process have a file open.

While there are any, nobody here may read that file past SQLite: closing it drops all locks of the process on it.
"""

_log = logging.getLogger("marginalia.database")


@dataclass(frozen=True)
class _Record:
    """Which file used which write-ahead log, by their inodes, and what the header of the file said then."""

    file: int
    wal: int
    cookie: int
    size: int

    @classmethod
    def read(cls, path: Path) -> "_Record | None":
        try:
            return cls(*map(int, path.read_text("ascii").split()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        # Where it cannot be written, a mismatch may go unseen after a crash: no reason not to serve.
        with contextlib.suppress(OSError):
            new = path.with_name(f"{path.name}.{os.getpid()}")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE), "w") as file:
                file.write(f"{self.file} {self.wal} {self.cookie} {self.size}\n")
            new.replace(path)


class _Header:
    """The header of a file, as the file has it: what is in the log is not looked at."""

    def __init__(self, header: bytes = b"") -> None:
        self.is_in_wal_mode = header[18:20] == b"\2\2"
        self.cookie = int.from_bytes(header[40:44], "big")
        """Counts changes of the schema."""
        self.size = int.from_bytes(header[28:32], "big")
        """In pages."""
        self._may_shrink = any(header[52:56])

    @classmethod
    def read(cls, path: Path) -> "_Header":
        try:
            with path.open("rb") as file:
                return cls(file.read(100))
        except OSError:
            return cls()

    def is_older_than(self, record: _Record) -> bool:
        """Tell whether a file that was as in the record cannot have become this one."""
        if self.cookie == record.cookie:
            # Only VACUUM makes a file smaller, and that counts as a change of the schema.
            return self.size < record.size and not self._may_shrink
        return self.cookie < record.cookie


class SQLiteFile:
    """The file of an SQLite database, and whether the write-ahead log beside it is its own.

    A connection keeps the file that it has opened, wherever that has gone, but finds the log by its name. So a backup
    that is put in the place of a file would take in the log of that file, and neither would be whole any more.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Take a file; `read_only`: nothing is left beside it, and it is read even where nothing can be written."""
        self._path = path
        self._read_only = read_only
        self._was_there = False
        self._is_refused = False
        self._header = _Header()
        self._opened: WeakKeyDictionary[aiosqlite.Connection, Identity] = WeakKeyDictionary()
        if not read_only:
            _make_folder(path.parent)

    @property
    def identity(self) -> Identity:
        """Which file it is now. Raises `FileNotFoundError`."""
        found = self._path.stat()
        return found.st_dev, found.st_ino

    def connect(self, **options: Any) -> aiosqlite.Connection:
        """Make a connection, which is still to be awaited. The file is made if there is none, but not a second time.

        Raises `FileNotFoundError`, `UnusableFile`.
        """
        if not self._was_there and not self._read_only:
            _make_file(self._real)
        identity = self._checked()
        # A URI, because only there SQLite can be told to make no file.
        mode = "mode=ro&immutable=1" if self._read_only and self._is_to_be_read_alone() else "mode=rw"
        connection = aiosqlite.connect(f"file:{quote(os.fsencode(self._real))}?{mode}", uri=True, **options)
        if identity is not None:
            self._opened[connection] = identity
            _in_use[identity] += 1
        return connection

    def opened(self, connection: aiosqlite.Connection) -> Identity | None:
        """Tell which file a connection has opened."""
        return self._opened.get(connection)

    def connected(self, connection: aiosqlite.Connection) -> None:
        """Record which log the file uses, once a connection has opened both.

        Raises `FileNotFoundError`, and `UnusableFile` if the file was replaced meanwhile.
        """
        identity = self.identity
        if self._opened.get(connection) != identity:
            raise self._mismatch()
        self._was_there, self._is_refused = True, False
        if self._read_only:
            return
        record = _Record.read(self._beside("-inodes"))
        if (wal := self._wal) is not None and (record is None or (record.file, record.wal) != (identity[1], wal)):
            _Record(identity[1], wal, self._header.cookie, self._header.size).write(self._beside("-inodes"))

    def disconnected(self, connection: aiosqlite.Connection) -> None:
        """Forget a connection that is about to be closed."""
        if (identity := self._opened.pop(connection, None)) is not None:
            _in_use[identity] -= 1
            if not _in_use[identity]:
                del _in_use[identity]

    def closed(self) -> None:
        """Take the record away after the last connection, if that was the last one of all and has removed the log."""
        if self._was_there and self._wal is None:
            self._forget()

    def _checked(self) -> Identity | None:
        """Return which file it is if the log there is its own; None: SQLite will say why it cannot be opened."""
        try:
            identity = self.identity
        except OSError:
            if self._was_there:
                raise
            return None
        if self._path.is_dir():
            raise UnusableFile(f"{self._path} is a folder, not a file.")
        wal, record = self._wal, _Record.read(self._beside("-inodes"))
        if wal is None:
            self._forget()  # or it would speak of the next log, if that gets the same inode
        elif record is not None and record.wal == wal and record.file != identity[1]:
            raise self._mismatch()
        if not _in_use[identity]:
            self._header = _Header.read(self._real)
            # A copy by VACUUM INTO is not in WAL mode; one by the backup API begins to count its schema anew.
            is_older = record is not None and record.wal == wal and self._header.is_older_than(record)
            if wal is not None and (is_older or not self._header.is_in_wal_mode):
                raise self._mismatch()
        return identity

    def _is_to_be_read_alone(self) -> bool:
        """Tell whether the file must be read without a log. Raises `UnusableFile` if there is one that matters."""
        real, wal = self._real, self._beside("-wal")
        if os.access(real, os.W_OK) and os.access(real.parent, os.W_OK):
            return False
        if not _size(wal):
            return True  # without it SQLite would make one here, or leave one that its owner cannot use
        if self._beside("-shm").exists():
            return False
        raise UnusableFile(
            f"{wal} holds changes that cannot be read where nothing can be written. "
            f"Copy {real} and {wal} to another folder and look there."
        )

    def _mismatch(self) -> UnusableFile:
        wal, shm = self._beside("-wal"), self._beside("-shm")
        mismatch = UnusableFile(
            f"{wal} belongs to the file that was {self._real} before. Stop every process that uses it, then remove "
            f"{wal} and {shm}, or put the old file back: another file is damaged by it."
        )
        if self._was_there and not self._is_refused:
            # At its start a process tells so itself.
            _log.error("The database cannot be served: %s", mismatch)
        self._is_refused = True
        return mismatch

    def _forget(self) -> None:
        if self._read_only:
            return
        with contextlib.suppress(OSError):
            self._beside("-inodes").unlink(missing_ok=True)

    @property
    def _real(self) -> Path:
        """Where SQLite looks for the log: beside the file, not beside a link to it."""
        return Path(os.path.realpath(self._path))

    def _beside(self, ending: str) -> Path:
        real = self._real
        return real.with_name(real.name + ending)

    @property
    def _wal(self) -> int | None:
        try:
            return self._beside("-wal").stat().st_ino
        except OSError:
            return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _make_file(path: Path) -> None:
    # SQLite would let everybody read it; its log gets the rights of the file. If this fails, SQLite will say why.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE_MODE))


def _make_folder(folder: Path) -> None:
    """Make a folder and those that it is in, each that there is not yet. Raises `OSError`."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
