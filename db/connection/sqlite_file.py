"""The file of an SQLite database: private to its owner, never opened with the write-ahead log of another file."""

import contextlib
import logging
import os
import sqlite3
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiosqlite

from db.connection import sqlite_connection
from db.connection.errors import UnusableFile

Identity = tuple[int, int]
"""The device and the inode of a file."""

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700

_in_use: Counter[Identity] = Counter()
"""The number of connections of this process that have a file open.

While there are any, this process must not open the file except through SQLite: closing such a handle would drop all
locks of the process on the file.
"""

_log = logging.getLogger("marginalia.database")


@dataclass(frozen=True)
class _Record:
    """Records which file used which write-ahead log, by inode, with the file's header fields at that time."""

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
        # If the record cannot be written, a mismatch may go undetected after a crash. The file is served anyway.
        with contextlib.suppress(OSError):
            new = path.with_name(f"{path.name}.{os.getpid()}")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE), "w") as file:
                file.write(f"{self.file} {self.wal} {self.cookie} {self.size}\n")
            new.replace(path)


class _Header:
    """The header stored in a database file. Changes that are only in the log are ignored."""

    def __init__(self, header: bytes = b"") -> None:
        self.is_in_wal_mode = header[18:20] == b"\2\2"
        self.cookie = int.from_bytes(header[40:44], "big")
        """The schema cookie: counts schema changes."""
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
        """Whether this header cannot be a later state of the recorded file."""
        if self.cookie == record.cookie:
            # Only VACUUM shrinks a file, and that increments the schema cookie.
            return self.size < record.size and not self._may_shrink
        return self.cookie < record.cookie


class SQLiteFile:
    """The file of an SQLite database, with a check that the write-ahead log beside it belongs to it.

    A connection keeps the file that it opened, even if that file is moved, but finds the log by name. So a backup that
    replaces a file would absorb the log of the old file, and both would be damaged.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """`read_only`: create nothing beside the file, and read it even in a folder that is not writable."""
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
        """The identity of the file now at the path. Raises `FileNotFoundError`."""
        found = self._path.stat()
        return found.st_dev, found.st_ino

    def connect(self, **options: Any) -> aiosqlite.Connection:
        """Return a connection that is yet to be awaited. A missing file is created, unless it existed before.

        Raises `FileNotFoundError`, `UnusableFile`.
        """
        if not self._was_there and not self._read_only:
            _make_file(self._real)
        identity = self._checked()
        # A URI: only its mode parameter stops SQLite from creating the file.
        mode = "mode=ro&immutable=1" if self._read_only and self._is_to_be_read_alone() else "mode=rw"
        uri = f"file:{quote(os.fsencode(self._real))}?{mode}"
        connection = sqlite_connection.connection(partial(sqlite3.connect, uri, uri=True, **options))
        if identity is not None:
            self._opened[connection] = identity
            _in_use[identity] += 1
        return connection

    def opened(self, connection: aiosqlite.Connection) -> Identity | None:
        """Return the identity of the file that a connection has opened."""
        return self._opened.get(connection)

    def connected(self, connection: aiosqlite.Connection) -> None:
        """Record which log the file uses, after a connection has opened both.

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
        """Delete the record if the log is gone: then the last connection of all processes has closed."""
        if self._was_there and self._wal is None:
            self._forget()

    def _checked(self) -> Identity | None:
        """Return the file's identity if the log belongs to it. None: SQLite will report why it cannot be opened."""
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
            self._forget()  # a stale record would match the next log, if that gets the same inode
        elif record is not None and record.wal == wal and record.file != identity[1]:
            raise self._mismatch()
        if not _in_use[identity]:
            self._header = _Header.read(self._real)
            # A copy made by VACUUM INTO is not in WAL mode. The backup API restarts the schema cookie.
            is_older = record is not None and record.wal == wal and self._header.is_older_than(record)
            if wal is not None and (is_older or not self._header.is_in_wal_mode):
                raise self._mismatch()
        return identity

    def _is_to_be_read_alone(self) -> bool:
        """Whether the file must be read without a log. Raises `UnusableFile` if the log holds changes."""
        real, wal = self._real, self._beside("-wal")
        if os.access(real, os.W_OK) and os.access(real.parent, os.W_OK):
            return False
        if not _size(wal):
            return True  # otherwise SQLite would create a log here, or leave one that the owner cannot use
        if self._beside("-shm").exists():
            return False
        raise UnusableFile(
            f"{wal} holds changes that cannot be read where nothing can be written. "
            f"Copy {real} and {wal} to another folder and look there."
        )

    def _mismatch(self) -> UnusableFile:
        wal, shm = self._beside("-wal"), self._beside("-shm")
        mismatch = UnusableFile(
            f"{wal} belongs to an earlier file at {self._real}. Stop every process that uses it, then remove "
            f"{wal} and {shm}, or restore the old file. With this log, another file would be damaged."
        )
        if self._was_there and not self._is_refused:
            # During startup the process reports this itself.
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
        """The path where SQLite looks for the log: beside the file, not beside a symlink to it."""
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
    # SQLite would make it world-readable; the log inherits the file's mode. If this fails, SQLite will report why.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE_MODE))


def _make_folder(folder: Path) -> None:
    """Create a folder and its missing parents. Raises `OSError`."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
