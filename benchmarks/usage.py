"""The usage of processes on Linux: processor time and memory, from `/proc`."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(process_id: int) -> float:
    """Return the processor time of all threads of a process, user and system."""
    user, system = _stat(process_id)[11:13]
    return (int(user) + int(system)) / _TICKS


def memory(process_id: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def database_clock(url: str) -> Callable[[], float]:
    """Return a clock of the processor time of a PostgreSQL server on this machine; one that stands still otherwise."""
    if "host" not in parse_qs(urlsplit(url).query):  # not over a socket of this machine
        return lambda: 0.0
    parent = asyncio.run(_postmaster(url))
    seen: dict[int, float] = {}

    def clock() -> float:
        # A backend that has ended keeps the time it was last seen with.
        seen.update(_children(parent))
        return sum(seen.values())

    return clock


def _children(parent: int) -> Mapping[int, float]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if int(_stat(int(folder.name))[1]) == parent:
                    found[int(folder.name)] = processor_seconds(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile
    return found


def _stat(process_id: int) -> list[str]:
    """Return the fields after the name of the command, which may hold anything."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()


async def _postmaster(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(_stat(connection.get_server_pid())[1])
    finally:
        await connection.close()
