"""Pages of many parents in one statement, against pages of one parent, and both against plain lists."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

from sqlalchemy import insert

from db import documents, messages
from db.connection.database import Database
from db.models import ChatSession, Message
from db.reading.cursors import Key, decode
from db.reading.paging import Connection, Order, Page
from db.reading.visibility import Viewer
from tests.support import factories
from tests.support.counting import counted

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def expected(order: Order, keys: Sequence[Key], page: Page) -> tuple[list[Key], bool, bool]:
    """Return the keys of a page of a list, and whether there is more before and behind it: the plain meaning."""

    def is_behind(key: Key, other: Key) -> bool:
        one, two = (other, key) if order.newest_first else (key, other)
        return one > two

    stretch = [
        key
        for key in keys
        if (page.after is None or is_behind(key, page.after)) and (page.before is None or is_behind(page.before, key))
    ]
    more = len(stretch) > page.size
    taken = stretch[max(0, len(stretch) - page.size) :] if page.from_end else stretch[: page.size]
    before = page.after is not None or (more and page.from_end)
    behind = page.before is not None or (more and not page.from_end)
    return taken, before, behind


def shown(order: Order, connection: Connection[object]) -> tuple[list[Key], bool, bool]:
    """Return the same of a page that was read."""
    info = connection.page_info
    cursors = [edge.cursor for edge in connection.edges]
    assert info.start_cursor == (cursors[0] if cursors else None)
    assert info.end_cursor == (cursors[-1] if cursors else None)
    keys = [decode(order.name, order.types, str(cursor)) for cursor in cursors]
    return keys, info.has_previous_page, info.has_next_page


def pages(keys: Sequence[Key]) -> list[Page]:
    """Return every combination of size, end, after and before over some keys of a list."""
    some: list[Key | None] = [None, keys[0], keys[len(keys) // 2], keys[-1]]
    return [
        Page(size, after, before, from_end)
        for size, from_end, after, before in product((0, 2, 100), (False, True), some, some)
    ]


async def test_messages_of_many_chats_are_paged_as_those_of_one(database: Database) -> None:
    counts = {"chat_none": 0, "chat_one": 1, "chat_five": 5, "chat_nine": 9}
    for chat_id, count in counts.items():
        chat = await factories.chat(database, await factories.section(database), id=chat_id)
        await add_messages(database, chat, count)
    keys: dict[str, list[Key]] = {chat: [(seq,) for seq in range(1, count + 1)] for chat, count in counts.items()}
    missing: Key = (1_000,)
    asked = [*pages(keys["chat_five"]), Page(3, after=(0,)), Page(3, before=missing, from_end=True)]
    for page in asked:
        together = await messages.MESSAGES.pages(database, Viewer.of_all("local"), list(counts), page)
        assert list(together) == list(counts)
        for chat_id, found in together.items():
            alone = (await messages.MESSAGES.pages(database, Viewer.of_all("local"), [chat_id], page))[chat_id]
            assert shown(messages.BY_NUMBER, found) == shown(messages.BY_NUMBER, alone), (chat_id, page)
            assert all(edge.node.chat_id == chat_id for edge in found.edges)
            assert [(edge.node.seq,) for edge in found.edges] == shown(messages.BY_NUMBER, found)[0]
            wanted = expected(messages.BY_NUMBER, keys[chat_id], page)
            assert shown(messages.BY_NUMBER, found) == wanted, (chat_id, page)


async def add_messages(database: Database, chat: ChatSession, count: int) -> None:
    rows = [
        {
            "workspace_id": "local",
            "id": f"msg_{chat.id}_{seq}",
            "chat_id": chat.id,
            "seq": seq,
            "role": "USER",
            "author": "ann",
            "content": f"{chat.id} {seq}",
        }
        for seq in range(count, 0, -1)
    ]
    if rows:
        async with database.begin() as session:
            await session.execute(insert(Message), rows)


async def test_sections_of_many_documents_are_paged_as_those_of_one(database: Database) -> None:
    # The first two sections of each document share a position, as two racing writers of another system left them.
    shared = [await factories.section(database, id=f"sec_{number}") for number in range(6)]
    rows = {name: await factories.document(database, id=name) for name in ("doc_none", "doc_three", "doc_six")}
    keys: dict[str, list[Key]] = {"doc_none": []}
    for name, count in (("doc_three", 3), ("doc_six", 6)):
        positions = ["a0", "a0", "a1", "a2", "a3", "a4"][:count]
        for section, position in zip(shared, positions, strict=False):
            await factories.place(database, rows[name], section, position)
        keys[name] = [(position, section.id) for section, position in zip(shared, positions, strict=False)]
    for page in pages(keys["doc_three"]):
        together = await documents.SECTIONS.pages(database, Viewer.of_all("local"), list(keys), page)
        for name, found in together.items():
            alone = (await documents.SECTIONS.pages(database, Viewer.of_all("local"), [name], page))[name]
            assert shown(documents.READING_ORDER, found) == shown(documents.READING_ORDER, alone), (name, page)
            nodes = [edge.node.id for edge in found.edges]
            assert nodes == [key[1] for key in shown(documents.READING_ORDER, found)[0]]
            assert shown(documents.READING_ORDER, found) == expected(documents.READING_ORDER, keys[name], page)


async def test_documents_of_many_sections_are_paged_as_those_of_one(database: Database) -> None:
    # Newest first; the two oldest were made at one moment.
    ages = {"doc_e": 4, "doc_d": 3, "doc_c": 2, "doc_b": 1, "doc_a": 1}
    rows = {
        name: await factories.document(database, id=name, created_at=NOON + timedelta(microseconds=age))
        for name, age in ages.items()
    }
    stands_in = {"sec_none": "", "sec_all": "abcde", "sec_some": "ace"}
    for name, letters in stands_in.items():
        section = await factories.section(database, id=name)
        for letter in letters:
            await factories.place(database, rows[f"doc_{letter}"], section)
    all_keys: list[Key] = [(row.created_at, name) for name, row in rows.items()]
    keys = {name: [key for key in all_keys if str(key[1])[-1] in letters] for name, letters in stands_in.items()}
    for page in pages(keys["sec_some"]):
        together = await documents.DOCUMENTS_OF_SECTIONS.pages(database, Viewer.of_all("local"), list(keys), page)
        for name, found in together.items():
            alone = (await documents.DOCUMENTS_OF_SECTIONS.pages(database, Viewer.of_all("local"), [name], page))[name]
            assert shown(documents.NEWEST_FIRST, found) == shown(documents.NEWEST_FIRST, alone), (name, page)
            assert shown(documents.NEWEST_FIRST, found) == expected(documents.NEWEST_FIRST, keys[name], page)


async def test_a_page_of_a_workspace_shows_nothing_of_another(database: Database) -> None:
    await factories.workspace(database, "other")
    for workspace_id in ("local", "other"):
        for number in range(2):
            document = await factories.document(database, workspace_id=workspace_id, id=f"doc_{number}")
            section = await factories.section(database, document, id=f"sec_{number}", title=workspace_id)
            chat = await factories.chat(database, section, id=f"chat_{number}")
            await factories.add(
                database,
                Message(
                    workspace_id=workspace_id,
                    id=f"msg_{number}",
                    chat_id=chat.id,
                    seq=1,
                    role="USER",
                    author=workspace_id,
                    content="",
                ),
            )
    page = Page(5)
    async with database.read() as session:
        read = await messages.MESSAGES.pages(database, Viewer.of_all("other"), ["chat_0", "chat_1"], page)
        assert [[edge.node.author for edge in found.edges] for found in read.values()] == [["other"]] * 2
        sections = await documents.SECTIONS.pages(database, Viewer.of_all("other"), ["doc_0", "doc_1"], page)
        assert [[edge.node.title for edge in found.edges] for found in sections.values()] == [["other"]] * 2
        standing = await documents.DOCUMENTS_OF_SECTIONS.pages(
            database, Viewer.of_all("other"), ["sec_0", "sec_1"], page
        )
        assert [[edge.node.workspace_id for edge in found.edges] for found in standing.values()] == [["other"]] * 2
        everything = await documents.texts(session, "other", ["doc_0", "doc_1"])
        assert [[row.title for row in rows] for rows in everything.values()] == [["other"]] * 2


async def test_pages_of_many_take_one_statement(database: Database) -> None:
    with counted(database) as statements:
        await messages.MESSAGES.pages(
            database, Viewer.of_all("local"), [f"chat_{number}" for number in range(50)], Page(5)
        )
    assert len(statements) == 1
