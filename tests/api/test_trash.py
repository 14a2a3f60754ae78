"""The trash: what is put into it is hidden, comes back as it was, or is gone for good."""

import asyncio
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Principal, Role
from tests.api.operations import (
    TRASHED,
    Connection,
    create_document,
    ensure_chat,
    headings,
    import_document,
    nodes,
    pages_forward,
    post_message,
    section_ids,
    unwrapped,
)
from tests.api.operations import trash as trash_both
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.concurrent_callers import ENSURE, place, post
from tests.support.counting import counted
from tests.support.invariants import violations

TRASH_DOCUMENT, RESTORE_DOCUMENT, PURGE_DOCUMENT = "trashDocument", "restoreDocument", "purgeDocument"
TRASH_SECTION, RESTORE_SECTION, PURGE_SECTION = "trashSection", "restoreSection", "purgeSection"
OF_DOCUMENTS = (TRASH_DOCUMENT, RESTORE_DOCUMENT, PURGE_DOCUMENT)
OF_SECTIONS = (TRASH_SECTION, RESTORE_SECTION, PURGE_SECTION)

NOTHING = {
    "edges": [],
    "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
}

LISTED = """
query ($first: Int = 20, $after: String) {{
  {field}(first: $first, after: $after) {{
    edges {{ cursor node {{ id title deletedAt }} }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
  }}
}}
"""

SEEN = """
query ($document: ID!, $section: ID!, $chat: ID!) {
  document(id: $document) { sections { edges { node { id chat { id messageCount } } } } }
  section(id: $section) { documents { edges { node { id } } } }
  chatSession(id: $chat) { messageCount section { id } document { id } }
}
"""


async def move(client: Client, mutation: str, row_id: str) -> dict[str, Any]:
    kind = mutation.removeprefix("trash").removeprefix("restore").removeprefix("purge")
    success = f"... on {mutation[0].upper()}{mutation[1:]}Success"
    moved = f"{success} {{ {kind.lower()} {{ id deletedAt }} }}"
    members = f"{success} {{ removed {{ sectionCount chatCount messageCount }} }} ... on NotInTrash {{ subjectId }}"
    query = (
        f"mutation ($id: ID!) {{ {mutation}({'docId' if kind == 'Document' else 'sectionId'}: $id) {{ __typename "
        f"{members if mutation.startswith('purge') else moved} "
        f"... on {kind}NotFound {{ {'docId' if kind == 'Document' else 'sectionId'} }} "
        "... on Forbidden { subjectId } ... on Error { message code } } }"
    )
    answer = (await client(query, id=row_id))[mutation]
    return unwrapped(answer, "removed" if mutation.startswith("purge") else kind.lower())


async def listed(client: Client, kind: str, **arguments: Any) -> Connection:
    field = f"trashed{kind}s"
    page: Connection = (await client(LISTED.format(field=field), **arguments))[field]
    return page


async def seen(client: Client, document: str, section: str, chat: str) -> dict[str, Any]:
    return await client(SEEN, document=document, section=section, chat=chat)


async def ensured(client: Client, document: str, section: str) -> str:
    answer = (await client(ENSURE, docId=document, sectionId=section))["ensureSectionChat"]
    return str(answer.get("ensured") or answer["__typename"])


async def with_chat(client: Client, sections: int = 2) -> tuple[str, list[str], str]:
    """Make a document whose first section has a chat with a message."""
    document = await import_document(client, headings(sections))
    ids = await section_ids(client, document)
    chat = await ensure_chat(client, document, ids[0])
    await post_message(client, chat, "Hello")
    return document, ids, chat


async def test_a_document_in_the_trash_is_hidden_and_comes_back_as_it_was(client: Client, database: Database) -> None:
    document, sections, chat = await with_chat(client)
    before = await seen(client, document, sections[0], chat)

    trashed = await move(client, TRASH_DOCUMENT, document)
    assert (trashed["__typename"], trashed["id"]) == ("TrashDocumentSuccess", document)
    assert trashed["deletedAt"]
    assert await seen(client, document, sections[0], chat) == {
        "document": None,
        "section": {"documents": {"edges": []}},
        "chatSession": {"messageCount": 1, "section": {"id": sections[0]}, "document": None},
    }
    assert await ensured(client, document, sections[0]) == "DocumentNotFound"

    restored = await move(client, RESTORE_DOCUMENT, document)
    assert restored == {"__typename": "RestoreDocumentSuccess", "id": document, "deletedAt": None}
    assert await seen(client, document, sections[0], chat) == before
    assert await ensured(client, document, sections[0]) == "FOUND"
    assert await violations(database) == []


async def test_a_section_in_the_trash_is_hidden_wherever_it_stands_and_comes_back_as_it_was(client: Client) -> None:
    document, sections, chat = await with_chat(client)
    other = await create_document(client)
    await place(client, other, sections[0])
    before = [await seen(client, each, sections[0], chat) for each in (document, other)]

    trashed = await move(client, TRASH_SECTION, sections[0])
    assert (trashed["__typename"], trashed["id"]) == ("TrashSectionSuccess", sections[0])
    for each, left in ((document, sections[1:]), (other, [])):
        assert await section_ids(client, each) == left
        assert await ensured(client, each, sections[0]) == "SectionNotFound"
    hidden = await seen(client, document, sections[0], chat)
    assert (hidden["section"], hidden["chatSession"]) == (None, None)
    assert (await post(client, chat, "Text"))["__typename"] == "ChatSessionNotFound"

    assert (await move(client, RESTORE_SECTION, sections[0]))["deletedAt"] is None
    assert [await seen(client, each, sections[0], chat) for each in (document, other)] == before
    assert await ensured(client, other, sections[0]) == "FOUND"


@pytest.mark.parametrize(("trash", "restore"), [(TRASH_DOCUMENT, RESTORE_DOCUMENT), (TRASH_SECTION, RESTORE_SECTION)])
async def test_what_is_done_already_is_done(client: Client, trash: str, restore: str) -> None:
    document, sections, _ = await with_chat(client)
    row = document if trash == TRASH_DOCUMENT else sections[0]
    assert (await move(client, restore, row))["deletedAt"] is None
    first = await move(client, trash, row)
    assert await move(client, trash, row) == first
    for _ in range(2):
        assert (await move(client, restore, row))["deletedAt"] is None


async def test_a_document_is_gone_for_good_with_the_sections_that_stand_nowhere_else(
    client: Client, database: Database
) -> None:
    document, sections, chat = await with_chat(client, 4)
    shared_chat = await ensure_chat(client, document, sections[1])
    in_trash_too, other = await create_document(client), await create_document(client)
    await place(client, other, sections[1])
    await place(client, in_trash_too, sections[2])
    await move(client, TRASH_DOCUMENT, in_trash_too)
    assert (await move(client, PURGE_DOCUMENT, document))["__typename"] == "NotInTrash"
    assert await section_ids(client, document) == sections

    await move(client, TRASH_DOCUMENT, document)
    purged = await move(client, PURGE_DOCUMENT, document)

    assert purged == {
        "__typename": "PurgeDocumentSuccess",
        "sectionCount": 2,
        "chatCount": 1,
        "messageCount": 1,
    }
    gone = await seen(client, document, sections[0], chat)
    assert gone == {"document": None, "section": None, "chatSession": None}
    assert await section_ids(client, other) == [sections[1]]
    kept = (await seen(client, other, sections[1], shared_chat))["chatSession"]
    assert kept == {"messageCount": 0, "section": {"id": sections[1]}, "document": None}
    assert await ensured(client, other, sections[1]) == "FOUND"
    await move(client, RESTORE_DOCUMENT, in_trash_too)
    assert await section_ids(client, in_trash_too) == [sections[2]]
    for again in OF_DOCUMENTS:
        assert (await move(client, again, document))["__typename"] == "DocumentNotFound"
    assert await violations(database) == []


async def test_a_section_is_gone_for_good_wherever_it_stands(client: Client, database: Database) -> None:
    document, sections, chat = await with_chat(client)
    other = await create_document(client)
    await place(client, other, sections[0])
    assert (await move(client, PURGE_SECTION, sections[0]))["__typename"] == "NotInTrash"

    await move(client, TRASH_SECTION, sections[0])
    purged = await move(client, PURGE_SECTION, sections[0])

    assert (purged["__typename"], purged["sectionCount"]) == ("PurgeSectionSuccess", 1)
    assert (purged["chatCount"], purged["messageCount"]) == (1, 1)
    assert await section_ids(client, document) == sections[1:]
    assert await section_ids(client, other) == []
    for again in OF_SECTIONS:
        assert (await move(client, again, sections[0]))["__typename"] == "SectionNotFound"
    assert await ensured(client, document, sections[0]) == "SectionNotFound"
    assert (await seen(client, document, sections[1], chat))["chatSession"] is None
    assert await violations(database) == []


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER, Role.EDITOR])
async def test_editors_move_things_to_the_trash_and_back_and_owners_purge(
    serve: Serve, client: Client, role: Role
) -> None:
    document, sections, _ = await with_chat(client)
    async with serve(Principal("somebody", "local", role)) as theirs:
        for kind, moves, row in (("Document", OF_DOCUMENTS, document), ("Section", OF_SECTIONS, sections[0])):
            trash, restore, purge = moves
            allowed = role >= Role.EDITOR
            expected = f"Trash{kind}Success" if allowed else "Forbidden"
            assert (await move(theirs, trash, row))["__typename"] == expected
            assert (await move(client, trash, row))["__typename"] == f"Trash{kind}Success"
            # To those who may not change it, what is in the trash does not exist.
            assert (await move(theirs, purge, row))["__typename"] == ("Forbidden" if allowed else f"{kind}NotFound")
            restored = f"Restore{kind}Success" if allowed else f"{kind}NotFound"
            assert (await move(theirs, restore, row))["__typename"] == restored
            await move(client, restore, row)
            assert (await move(theirs, purge, row))["__typename"] == "Forbidden"


@pytest.mark.parametrize("kind", ["Document", "Section"])
async def test_what_is_in_the_trash_is_listed_the_latest_first(client: Client, kind: str) -> None:
    trash, restore, purge = OF_DOCUMENTS if kind == "Document" else OF_SECTIONS
    rows = []
    for _ in range(7):
        document = await import_document(client, "# A title")
        rows.append(document if kind == "Document" else (await section_ids(client, document))[0])
    assert await listed(client, kind) == NOTHING
    moved: list[dict[str, Any]] = []
    for row in rows:
        moved.insert(0, await move(client, trash, row))
        await asyncio.sleep(0.002)  # the clock of SQLite counts milliseconds
    found = nodes([await listed(client, kind)])
    assert found == [{"id": each["id"], "title": "A title", "deletedAt": each["deletedAt"]} for each in moved]
    assert nodes(await pages_forward(lambda **arguments: listed(client, kind, **arguments), 3)) == found

    await move(client, restore, rows[1])
    await move(client, purge, rows[3])
    assert [each["id"] for each in nodes([await listed(client, kind)])] == [rows[n] for n in (6, 5, 4, 2, 0)]


@pytest.mark.parametrize("role", list(Role))
async def test_the_trash_is_empty_for_those_who_may_not_restore(
    serve: Serve, client: Client, database: Database, role: Role
) -> None:
    document, sections, _ = await with_chat(client)
    await trash_both(client, document, sections[0])
    await factories.workspace(database, "other")
    theirs = await factories.document(database, workspace_id="other", deleted_at=TRASHED)
    await factories.section(database, theirs, deleted_at=TRASHED)
    async with serve(Principal("somebody", "local", role)) as somebody:
        for kind, row in (("Document", document), ("Section", sections[0])):
            page = await listed(somebody, kind)
            assert [each["id"] for each in nodes([page])] == ([row] if role >= Role.EDITOR else [])
            assert role >= Role.EDITOR or page == NOTHING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_index_of_its_own_serves_the_list_of_the_trash(client: Served) -> None:
    for kind, table in (("Document", "documents"), ("Section", "sections")):
        with counted(client.database) as statements:
            await listed(client, kind, first=2)
        (query,) = statements
        async with client.database.read() as session:
            connection = await session.connection()
            plan = await connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {query}", ("local", "1970-01-01 00:00:00.000000", 3, 0)
            )
            steps = [step for *_, step in plan]
        assert steps == [
            f"SEARCH {table} USING INDEX {table}_workspace_id_deleted_at_id_idx (workspace_id=? AND deleted_at>?)"
        ]


async def test_nothing_of_another_workspace_is_moved(client: Client, database: Database) -> None:
    await factories.workspace(database, "other")
    document = await factories.document(database, workspace_id="other", id="doc_theirs")
    await factories.section(database, document, id="sec_theirs")
    for moves, row, missing in (
        (OF_DOCUMENTS, "doc_theirs", "DocumentNotFound"),
        (OF_SECTIONS, "sec_theirs", "SectionNotFound"),
        (OF_DOCUMENTS, "doc_nothing", "DocumentNotFound"),
        (OF_SECTIONS, "", "SectionNotFound"),
    ):
        for mutation in moves:
            assert (await move(client, mutation, row))["__typename"] == missing
