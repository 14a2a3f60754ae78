"""Commands: each decides on what is there when it begins."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db import ids
from db.connection.database import Database
from db.models import ChatSession, Ensured
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import chats, documents, placements
from services.documents import ImportDocumentSuccess
from services.outcomes import SectionNotInDocument, TemporarilyUnavailable
from tests.support import factories, postgres


async def test_a_command_does_not_trust_what_an_earlier_one_of_its_operation_read(database: Database) -> None:
    document = await factories.document(database)
    section = await factories.section(database, document)
    ours, theirs = Store(database, LOCAL_OWNER), Store(database, LOCAL_OWNER)
    await chats.ensure_section_chat(ours, document.id, section.id)
    found = await chats.ensure_section_chat(ours, document.id, section.id)
    assert isinstance(found, ChatSession)
    assert found.ensured is Ensured.FOUND
    await placements.remove_section(theirs, document.id, section.id)
    gone = await chats.ensure_section_chat(ours, document.id, section.id)
    assert gone == SectionNotInDocument(document.id, section.id)


async def test_a_chat_opened_elsewhere_comes_with_the_document_it_was_opened_through(database: Database) -> None:
    document, other = await factories.document(database), await factories.document(database)
    section = await factories.section(database, document)
    await factories.place(database, other, section)
    store = Store(database, LOCAL_OWNER)
    await chats.ensure_section_chat(store, document.id, section.id)
    anchor = await store.anchor(other.id, section.id)
    assert anchor.document is not None
    assert anchor.document.id == other.id
    assert anchor.opened_through is not None
    assert anchor.opened_through.id == document.id


ENSURES: dict[str, Callable[[Store, str, str], Awaitable[object]]] = {
    "one": lambda store, document, section: chats.ensure_section_chat(store, document, section),
    "many": lambda store, document, section: chats.ensure_section_chats(store, document, [section]),
    "all": lambda store, document, _section: chats.ensure_document_chats(store, document),
}


@pytest.mark.parametrize("how_many", ENSURES)
async def test_an_id_that_a_chat_of_another_section_has_is_a_fault_and_does_not_pass_for_a_chat_that_is_there(
    database: Database, monkeypatch: pytest.MonkeyPatch, how_many: str
) -> None:
    """Shows: only a second chat of the section is taken for one that somebody else has opened."""
    taken = await factories.chat(database, await factories.section(database))
    document = await factories.document(database)
    section = await factories.section(database, document)
    monkeypatch.setattr(ids, "new", lambda _prefix: taken.id)
    with pytest.raises(IntegrityError):
        await ENSURES[how_many](Store(database, LOCAL_OWNER), document.id, section.id)
    async with database.read() as session:
        assert list(await session.scalars(select(ChatSession.section_id))) == [taken.section_id]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_only_reads_is_temporarily_unavailable_for_changes(database_url: str) -> None:
    database = Database(database_url)
    document = await factories.document(database)
    section = await factories.section(database, document)
    await database.close()
    name = str(database.url.database)
    await postgres.executed(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    standby = Database(database_url)
    answer = await chats.ensure_section_chat(Store(standby, LOCAL_OWNER), document.id, section.id)
    assert isinstance(answer, TemporarilyUnavailable)
    await standby.close()


async def test_a_document_is_called_like_its_first_heading_that_says_something(database: Database) -> None:
    made = await documents.import_document(Store(database, LOCAL_OWNER), None, "# \x1f\n\n## Real *one*\n", None)
    assert isinstance(made, ImportDocumentSuccess)
    assert made.document.title == "Real *one*"
    nameless = await documents.import_document(Store(database, LOCAL_OWNER), None, "text", None)
    assert isinstance(nameless, ImportDocumentSuccess)
    assert nameless.document.title == "Untitled"
