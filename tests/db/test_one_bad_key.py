"""One bad key: who shares a statement, a batch or a loop with it is answered all the same."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from asyncpg import UntranslatableCharacterError
from sqlalchemy import text

from db import ids
from db.anchors import AnchorLoader
from db.chat_feed import ChatFeed
from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.models import Base, Section
from db.reading.paging import Connection, Page
from db.reading.visibility import Viewer
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import nodes
from tests.support import factories, postgres
from tests.support.counting import counted

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

UNREPRESENTABLE = f"{ids.SECTION}日"
"""An id that LATIN1 has no letters for."""


@pytest.fixture
def latin1_url(postgres_server: str) -> Iterator[str]:
    with postgres.database(postgres_server, "template0", "ENCODING 'LATIN1' LOCALE 'C'") as url:
        yield url


@pytest.fixture
async def latin1(latin1_url: str) -> AsyncIterator[Database]:
    """Give a database that cannot even be asked for some keys; we would not serve it."""
    opened = Database(latin1_url)
    await opened.run(Base.metadata.create_all)
    await factories.workspace(opened, "local")
    yield opened
    await opened.close()


async def placed(database: Database, count: int) -> tuple[str, list[str]]:
    """Store a document with sections, and return their ids."""
    document = await factories.document(database)
    return document.id, [(await factories.section(database, document)).id for _ in range(count)]


def damage(database: Database, content: str) -> None:
    """Make the file of an SQLite database such that the row with this very long text, and no other, cannot be read."""
    file = Path(str(database.url.database))
    data = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as opened:
        (size,) = opened.execute("PRAGMA page_size").fetchone()
    pages = range(0, len(data), size)
    # Pages with nothing but the text, and before it the number of the page that goes on.
    for page in [page for page in pages if data[page + 4 : page + size] == content[: size - 4].encode()]:
        data[page : page + 4] = b"\xff" * 4
    file.write_bytes(data)


@pytest.fixture
async def damaged(database: Database) -> tuple[str, list[str], str]:
    """Give a document, its sections, and one more that cannot be read."""
    document, sections = await placed(database, 20)
    content = "x" * 100_000
    section = await factories.section(database, id=f"{ids.SECTION}damaged", content=content)
    async with database.begin() as session:
        await session.execute(
            text(
                "INSERT INTO document_sections (workspace_id, document_id, section_id, position)"
                " VALUES ('local', :document, :section, 'a0')"
            ),
            {"document": document, "section": section.id},
        )
    await database.close()  # which writes the log back into the file
    damage(database, content)
    return document, sections, section.id


async def test_a_key_that_cannot_be_asked_for_fails_alone_among_the_operations_of_all(latin1: Database) -> None:
    document, sections = await placed(latin1, 99)
    anchors = AnchorLoader(latin1)
    found = await asyncio.gather(
        *(anchors.load(Viewer.of_all("local"), document, section) for section in [*sections, UNREPRESENTABLE]),
        return_exceptions=True,
    )
    *good, bad = found
    assert [
        anchor.section.id for anchor in good if not isinstance(anchor, BaseException) and anchor.section
    ] == sections
    assert isinstance(bad, Exception)
    assert not isinstance(bad, DatabaseUnavailable)


async def test_a_key_that_cannot_be_asked_for_fails_alone_among_many_nodes(latin1: Database) -> None:
    _, sections = await placed(latin1, 20)
    found = await nodes.nodes(Store(latin1, LOCAL_OWNER), [*sections, UNREPRESENTABLE, f"{ids.SECTION}nothing"])
    assert [node.id for node in found if isinstance(node, Section)] == sections
    assert isinstance(found[-2], Exception)
    assert found[-1] is None


async def test_a_page_that_cannot_be_asked_for_fails_alone_among_many_pages(latin1: Database) -> None:
    document, sections = await placed(latin1, 3)
    load = Store(latin1, LOCAL_OWNER).load
    pages = await asyncio.gather(
        *(load.pages_of_sections.load((parent, Page(10))) for parent in (document, "doc_日", "doc_nothing")),
        return_exceptions=True,
    )
    assert [len(page.edges) if isinstance(page, Connection) else type(page) for page in pages] == [
        len(sections),
        UntranslatableCharacterError,
        0,
    ]


@on_sqlite
async def test_a_row_that_cannot_be_read_fails_alone(database: Database, damaged: tuple[str, list[str], str]) -> None:
    document, sections, bad = damaged
    anchors = AnchorLoader(database)
    found = await asyncio.gather(
        *(anchors.load(Viewer.of_all("local"), document, section) for section in [*sections, bad]),
        return_exceptions=True,
    )
    assert [isinstance(anchor, Exception) for anchor in found] == [False] * len(sections) + [True]
    store = Store(database, LOCAL_OWNER)
    many = await nodes.nodes(store, [*sections, bad])
    assert [isinstance(node, Exception) for node in many] == [False] * len(sections) + [True]


@pytest.mark.parametrize("read", [AnchorLoader, lambda database: Store(database, LOCAL_OWNER).load.sections])
async def test_what_every_key_would_meet_is_met_once(database: Database, read: Callable[[Database], object]) -> None:
    """Shows: a database with another schema is not asked once for each key."""
    async with database.begin() as session:
        await session.execute(text("ALTER TABLE sections RENAME TO no_longer"))
    loader = read(database)
    keys = [f"{ids.SECTION}{number}" for number in range(50)]
    with counted(database) as statements:
        failed = await asyncio.gather(
            *(
                loader.load(*([Viewer.of_all("local"), "doc_1", key] if read is AnchorLoader else [key]))  # type: ignore[attr-defined]
                for key in keys
            ),
            return_exceptions=True,
        )
    assert all(isinstance(each, Exception) for each in failed)
    assert len(statements) == 1


async def test_followers_of_one_workspace_are_told_while_another_cannot_be_read(latin1: Database) -> None:
    document = await factories.document(latin1)
    chat_feed = ChatFeed(latin1, 0.02)
    ours = await chat_feed.of("local", document.id)
    with pytest.raises(DatabaseUnavailable):
        await chat_feed.of("日", "doc_1")
    section = await factories.section(latin1, document)
    chat_id = await latin1.transact(lambda session: factories.open_chat(session, document, section))
    async with asyncio.timeout(10):
        assert (await anext(ours)).id == chat_id
    await chat_feed.close()
