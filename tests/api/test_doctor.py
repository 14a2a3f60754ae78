"""`doctor` and `repair`: what owners are told of their own workspace, and what is set right for them."""

from typing import Any

import pytest
from sqlalchemy import text

from db.connection.database import Database
from db.models import Section
from db.principals import Principal, Role
from tests.api.operations import ensure_chat, import_document, post_message, section_ids
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client, Served
from tests.support.corruption import fill, unconstrain
from tests.support.counting import counted

DOCTOR = """
query {
  doctor {
    __typename
    ... on Examination { hasMore findings { rule message ids repair } }
    ... on Error { code message }
  }
}
"""

REPAIR = """
mutation {
  repair {
    __typename
    ... on Examination { hasMore findings { rule message ids repair } }
    ... on Error { code message }
  }
}
"""

NOTHING = {"__typename": "Examination", "hasMore": False, "findings": []}


async def examined(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = (await client(DOCTOR))["doctor"]
    return answer


async def repaired(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = (await client(REPAIR))["repair"]
    return answer


async def test_where_nothing_is_wrong_nothing_is_found(client: Served) -> None:
    document = await import_document(client, "# One\n\n# Two\n")
    chat = await ensure_chat(client, document, (await section_ids(client, document))[0])
    await post_message(client, chat, "Text")
    with counted(client.database) as statements:
        assert await examined(client) == await repaired(client) == NOTHING
    assert not any(statement.startswith(("INSERT", "UPDATE", "DELETE", "COMMIT")) for statement in statements)


async def test_a_pointer_to_nothing_is_told_and_repaired_once(client: Client, database: Database) -> None:
    section = await factories.section(database, chat_session_id="chat_gone")
    chat = await factories.chat(database, section)
    told = {
        "__typename": "Examination",
        "hasMore": False,
        "findings": [
            {
                "rule": "NO_WRONG_CHAT_POINTER",
                "message": f"Section {section.id} points to chat_gone, which is not its chat",
                "ids": [section.id, "chat_gone"],
                "repair": "point it to its chat, or to none if it has none",
            }
        ],
    }
    assert await examined(client) == await repaired(client) == told
    assert await examined(client) == await repaired(client) == NOTHING
    document = await factories.document(database)
    await factories.place(database, document, section)
    assert await ensure_chat(client, document.id, section.id) == chat.id


async def test_what_needs_a_person_is_told_and_not_repaired(client: Client, database: Database) -> None:
    await fill(database)
    await unconstrain(database)
    async with database.begin() as session:
        await session.execute(text("UPDATE messages SET chat_id = 'chat_gone'"))
    told = (await examined(client))["findings"]
    assert [(finding["rule"], finding["ids"], finding["repair"]) for finding in told] == [
        ("NO_DANGLING_REFERENCE", ["msg_1", "chat_gone"], None),
        ("MESSAGES_NUMBERED", ["chat_1"], "set it to the number of the last message"),
    ]
    assert [finding["rule"] for finding in (await repaired(client))["findings"]] == ["MESSAGES_NUMBERED"]
    assert [finding["rule"] for finding in (await examined(client))["findings"]] == ["NO_DANGLING_REFERENCE"]


async def test_an_answer_has_a_hundred_findings_and_the_next_repair_goes_on(client: Client, database: Database) -> None:
    async with database.begin() as session:
        for n in range(150):
            session.add(Section(workspace_id="local", id=f"sec_{n:03}", chat_session_id="chat", created_by="a"))
    told = await examined(client)
    assert (len(told["findings"]), told["hasMore"]) == (100, True)
    first, second, third = [await repaired(client) for _ in range(3)]
    assert first == told
    assert ([finding["ids"][0] for finding in second["findings"]], second["hasMore"]) == (
        [f"sec_{n:03}" for n in range(100, 150)],
        False,
    )
    assert third == NOTHING


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER, Role.EDITOR])
async def test_only_owners_are_told(serve: Serve, database: Database, role: Role) -> None:
    await factories.section(database, chat_session_id="chat_gone")
    refused = {"__typename": "Forbidden", "code": "FORBIDDEN", "message": "Your role does not allow this"}
    async with serve(Principal("somebody", "local", role)) as client:
        assert await examined(client) == await repaired(client) == refused
    async with serve() as client:
        assert len((await examined(client))["findings"]) == 1


async def test_another_workspace_is_neither_told_nor_touched(client: Client, serve: Serve, database: Database) -> None:
    await factories.workspace(database, "other")
    theirs = await factories.section(database, workspace_id="other", chat_session_id="chat_gone")
    assert await examined(client) == await repaired(client) == NOTHING
    async with serve(Principal("owner", "other", Role.OWNER)) as others:
        assert [finding["ids"][0] for finding in (await examined(others))["findings"]] == [theirs.id]


async def test_a_workspace_is_examined_twice_in_an_operation_and_no_more(client: Client) -> None:
    """Each costs as much as two fifths of what an operation may."""
    fields = "... on Examination { hasMore }"
    assert "errors" not in await client.result(f"{{ a: doctor {{ {fields} }} b: doctor {{ {fields} }} }}")
    answer = await client.result(f"{{ a: doctor {{ {fields} }} b: doctor {{ {fields} }} c: doctor {{ {fields} }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
