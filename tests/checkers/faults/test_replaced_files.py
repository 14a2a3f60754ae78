"""A backup in the place of an SQLite file whose write-ahead log is still there: the two are never mixed."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from db.connection.database import Database
from tests.checkers.faults.load import READ, UNAVAILABLE, first_message, until_ready
from tests.checkers.faults.test_files import serving, texts
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.processes import Server, run, running_process, start

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOTE = "PostMessageSuccess"
Make = Callable[[Path, Path], None]
"""Makes a backup of a file."""
Put = Callable[[Path, Path], None]
"""Puts a backup in the place of a file."""


def by_backup(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)


def by_vacuum(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as source:
        source.execute("VACUUM INTO ?", [str(backup)])


def moved_in(backup: Path, file: Path) -> None:
    file.rename(file.with_name("away.db"))
    shutil.copyfile(backup, file)


def copied_over(backup: Path, file: Path) -> None:
    """As by `cp`: the file stays the same one and has another content."""
    shutil.copyfile(backup, file)


@pytest.fixture
async def anchor(database: Database) -> tuple[str, str]:
    document = await factories.document(database)
    made = document.id, (await factories.section(database, document)).id
    await database.close()
    return made


@pytest.fixture
def file(database: Database) -> Path:
    return Path(str(database.url.database))


@pytest.fixture
def backup(file: Path) -> Path:
    return file.with_name("backup.db")


def beside(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)


def without_log(file: Path) -> None:
    """Do what we tell people to do."""
    for end in ("-wal", "-shm"):
        beside(file, end).unlink(missing_ok=True)


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def move(file: Path, place: Path) -> None:
    for end in ("", "-wal"):
        beside(file, end).rename(beside(place, end))


def is_sound(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def refusal(ended: subprocess.CompletedProcess[str], file: Path, code: int = 1) -> None:
    assert (ended.returncode, ended.stdout) == (code, ""), ended
    (line,) = ended.stderr.splitlines()
    assert line.startswith("marginalia: ")
    for word in (f"{file}-wal", f"{file}-shm", "remove", "restore the old file"):
        assert word in line, line


@pytest.mark.parametrize("made", [by_backup, by_vacuum])
async def test_a_server_refuses_a_backup_beside_the_old_log_and_says_what_to_do(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path, made: Make
) -> None:
    with running_process(database_url) as server:
        async with httpx.AsyncClient(base_url=server.address, timeout=40) as http:
            client = Client(http)
            chat_id = await first_message(client, anchor)
            made(file, backup)
            assert (await post(client, chat_id, "After the backup", "after"))["__typename"] == NOTE
            moved_in(backup, file)
            log = beside(file, "-wal").read_bytes()

            for number in range(3):
                assert (await post(client, chat_id, "Lost?", str(number)))["__typename"] == UNAVAILABLE
                (error,) = (await client.result(READ, id=chat_id))["errors"]
                assert error["extensions"]["code"] == "TEMPORARILY_UNAVAILABLE"
            assert (await http.get("/readyz")).status_code == 503
            assert same(file, backup), "nothing of the old log came into it"
            assert beside(file, "-wal").read_bytes() == log, "and the log is as it was"
            (line,) = [line for line in server.log.splitlines() if '"level": "error"' in line]
            assert f"{file}-wal" in line
            assert "restore the old file" in line

            without_log(file)
            await until_ready(http)
            assert (await client(READ, id=chat_id))["chatSession"] == {"messageCount": 1}
            assert (await ensure(client, *anchor))["ensured"] == "FOUND"
            assert (await post(client, chat_id, "Into the backup", "new"))["postedMessage"]["seq"] == 2
    assert await texts(database) == ["The first", "Into the backup"]
    await database.close()
    assert is_sound(file)


async def test_the_old_file_is_served_again_when_it_is_put_back_and_nothing_is_lost(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path
) -> None:
    async with serving(database_url) as client:
        chat_id = await first_message(client, anchor)
        by_backup(file, backup)
        assert (await post(client, chat_id, "After the backup", "after"))["__typename"] == NOTE
        moved_in(backup, file)
        assert (await post(client, chat_id, "Lost?", "lost"))["__typename"] == UNAVAILABLE
        file.with_name("away.db").rename(file)
        await until_ready(client.http)
        assert (await post(client, chat_id, "Kept", "kept"))["postedMessage"]["seq"] == 3
    assert await texts(database) == ["The first", "After the backup", "Kept"]
    await database.close()
    assert is_sound(file)


async def test_every_process_of_a_server_refuses_it(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path
) -> None:
    with running_process(database_url, "--workers", "2") as server:
        async with httpx.AsyncClient(
            base_url=server.address, timeout=40, limits=httpx.Limits(max_keepalive_connections=0)
        ) as http:
            client = Client(http)
            chat_id = await first_message(client, anchor)
            by_backup(file, backup)
            assert (await post(client, chat_id, "After the backup", "after"))["__typename"] == NOTE
            moved_in(backup, file)
            for number in range(20):
                assert (await post(client, chat_id, "Lost?", str(number)))["__typename"] == UNAVAILABLE
            without_log(file)
            # Both of them, whichever takes a connection.
            await until_ready(http)
            for number in range(20):
                assert (await post(client, chat_id, "Kept", f"kept {number}"))["__typename"] == NOTE
    assert await texts(database) == ["The first", *["Kept"] * 20]
    await database.close()
    assert is_sound(file)


@pytest.fixture
def killed(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """Give a server that the test kills."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = start(database_url, folder)
    yield server
    server.process.kill()
    server.process.wait()


async def written_and_killed(server: Server, anchor: tuple[str, str], file: Path, backup: Path, made: Make) -> None:
    async with httpx.AsyncClient(base_url=server.address, timeout=40) as http:
        chat_id = await first_message(Client(http), anchor)
        made(file, backup)
        assert (await post(Client(http), chat_id, "After the backup", "after"))["__typename"] == NOTE
    server.process.kill()
    server.process.wait()


@pytest.mark.parametrize(("made", "put"), [(by_backup, moved_in), (by_vacuum, copied_over)])
async def test_after_a_crash_no_command_opens_a_backup_beside_the_old_log(
    database_url: str,
    anchor: tuple[str, str],
    file: Path,
    backup: Path,
    killed: Server,
    put: Put,
    made: Make,
) -> None:
    await written_and_killed(killed, anchor, file, backup, made)
    put(backup, file)
    for command in (("serve", "--port", "0"), ("import", "README.md"), ("migrate",)):
        refusal(run(*command, "--database", database_url), file)
    refusal(run("doctor", "--database", database_url), file, code=2)
    assert same(file, backup)

    without_log(file)
    async with serving(database_url) as client:
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"
    assert is_sound(file)


async def test_after_a_crash_an_older_copy_of_the_file_is_told_apart_too(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path, tmp_path: Path
) -> None:
    """As by who stops a server each night, copies the file, and later copies it back over what a crash has left."""
    shutil.copyfile(file, backup)
    document = await factories.document(database)
    for _ in range(20):
        await factories.section(database, document, content="Long. " * 1_000)
    await database.close()
    (tmp_path / "server").mkdir()
    await written_and_killed(start(database_url, tmp_path / "server"), anchor, file, tmp_path / "unused", by_backup)
    copied_over(backup, file)
    refusal(run("migrate", "--database", database_url), file)
    assert same(file, backup)


async def test_after_a_crash_the_same_file_is_served_with_its_log(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path, killed: Server
) -> None:
    """Also when it was away meanwhile."""
    await written_and_killed(killed, anchor, file, backup, by_backup)
    moved_in(backup, file)
    file.with_name("away.db").rename(file)
    assert run("doctor", "--database", database_url).returncode == 0
    async with serving(database_url) as client:
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"
    assert await texts(database) == ["The first", "After the backup"]


async def test_a_copy_of_a_file_and_its_log_is_served(
    database: Database, database_url: str, anchor: tuple[str, str], file: Path, backup: Path, killed: Server
) -> None:
    """As by who copies the files of a server that was killed, and takes the copies later."""
    await written_and_killed(killed, anchor, file, backup, by_backup)
    copy = file.with_name("copy.db")
    for end in ("", "-wal"):
        shutil.copyfile(beside(file, end), beside(copy, end))
    move(file, file.with_name("away.db"))
    move(copy, file)
    async with serving(database_url) as client:
        assert (await ensure(client, *anchor))["ensured"] == "FOUND"
    assert await texts(database) == ["The first", "After the backup"]


async def test_a_database_behind_a_link_is_looked_after_where_it_is(
    database: Database, anchor: tuple[str, str], file: Path, backup: Path
) -> None:
    link = file.with_name("links") / "link.db"
    link.parent.mkdir()
    link.symlink_to(file)
    async with serving(f"sqlite:///{link}") as client:
        chat_id = await first_message(client, anchor)
        by_backup(file, backup)
        assert (await post(client, chat_id, "After the backup", "after"))["__typename"] == NOTE
        moved_in(backup, file)
        assert (await post(client, chat_id, "Lost?", "lost"))["__typename"] == UNAVAILABLE
        refusal(run("migrate", "--database", f"sqlite:///{link}"), file)
        without_log(file)
        await until_ready(client.http)
        assert (await post(client, chat_id, "Into the backup", "new"))["postedMessage"]["seq"] == 2
    assert [each.name for each in link.parent.iterdir()] == ["link.db"]
    assert await texts(database) == ["The first", "Into the backup"]


async def test_a_server_that_ends_leaves_its_database_in_one_file(
    database_url: str, anchor: tuple[str, str], file: Path
) -> None:
    async with serving(database_url) as client:
        await first_message(client, anchor)
        assert beside(file, "-wal").exists()
    assert [each.name for each in file.parent.iterdir()] == [file.name]
