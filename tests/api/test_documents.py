"""Documents: making one, naming it, reading it back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Principal, Role
from tests.api.operations import (
    CREATE_DOCUMENT,
    DOCUMENT,
    DOCUMENTS,
    IMPORT_DOCUMENT,
    TRASHED,
    arguments,
    create_document,
    unwrapped,
)
from tests.conftest import Serve
from tests.support import factories
from tests.support.client import Client

READ_WITH_SECTIONS = """
query ($id: ID!) { document(id: $id) { title sections { edges { cursor } pageInfo { hasNextPage endCursor } } } }
"""

MAKERS: dict[str, tuple[str, dict[str, Any]]] = {
    "createDocument": (CREATE_DOCUMENT, {"title": "A document"}),
    "importDocument": (IMPORT_DOCUMENT, {"markdown": "# A document"}),
}
"""The mutations that make a document, and what each needs to be told."""


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def make(client: Client, maker: str, **given: Any) -> dict[str, Any]:
    operation, needed = MAKERS[maker]
    answer = (await client(operation, **{**needed, **given}))[maker]
    return unwrapped(answer, "document")


async def test_a_document_is_made_and_read_back(client: Client) -> None:
    made = await make(client, "createDocument", title="Plan", description="What we\nwant.")
    assert made.pop("__typename") == "CreateDocumentSuccess"
    assert made["id"].startswith("doc_")
    assert made["title"] == "Plan"
    assert made["description"] == "What we\nwant."
    assert made["createdBy"] == {"id": "user_local"}
    assert made["createdAt"] == made["updatedAt"]
    created_at = datetime.fromisoformat(made["createdAt"])
    assert created_at.utcoffset() == timedelta()
    assert abs(datetime.now(created_at.tzinfo) - created_at) < timedelta(minutes=1)
    assert (await client(DOCUMENT, id=made["id"]))["document"] == {**made, "markdown": ""}


async def test_a_document_is_made_without_sections_and_without_a_description(client: Client) -> None:
    made = await make(client, "createDocument")
    assert made["description"] is None
    read = (await client(READ_WITH_SECTIONS, id=made["id"]))["document"]
    assert read["sections"] == {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


async def test_an_empty_description_stays_empty(client: Client) -> None:
    assert (await make(client, "createDocument", description=""))["description"] == ""


async def test_a_title_is_kept_without_the_space_around_it(client: Client, maker: str) -> None:
    assert (await make(client, maker, title=" \t Über <b>uns</b> 🎈\n "))["title"] == "Über <b>uns</b> 🎈"


async def test_a_title_that_is_no_line_of_text_is_refused(client: Client, maker: str) -> None:
    for title in ("", "   ", "two\nlines", "two\r\nlines", "two\u2028lines", "a\0b", "x" * 1_001):
        refused = await make(client, maker, title=title)
        assert refused["__typename"] == "InvalidInput", title
        assert (refused["code"], arguments(refused)) == ("INVALID_INPUT", ["title"])
        assert refused["message"] == f"title {refused['violations'][0]['message']}"


async def test_a_title_may_have_as_many_characters_as_published(client: Client, maker: str) -> None:
    assert (await make(client, maker, title="🎈" * 1_000))["title"] == "🎈" * 1_000


async def test_a_description_is_limited_as_published(client: Client) -> None:
    assert (await make(client, "createDocument", description="é" * 10_000))["description"] == "é" * 10_000
    refused = await make(client, "createDocument", description="é" * 10_001)
    assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["description"])


async def test_a_caller_may_choose_the_id(client: Client, maker: str) -> None:
    for own_id in ("a", "Z-9_", "notion:1a/b", "ä🎈", "sec_a", "x" * 200):
        for given in (own_id, f"doc_{own_id}"):
            assert (await make(client, maker, id=given))["id"] == f"doc_{own_id}"
            assert (await client(DOCUMENT, id=given))["document"]["title"] == "A document"


async def test_an_id_of_another_form_is_refused(client: Client, maker: str) -> None:
    for own_id in ("", "doc_", "a b", "a\n", "a\u2028b", "x" * 201, "a\0"):
        refused = await make(client, maker, id=own_id)
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["id"]), own_id


async def test_all_that_is_wrong_is_listed_at_once(client: Client) -> None:
    refused = await make(client, "createDocument", title="", description="é" * 10_001, id="")
    assert arguments(refused) == ["title", "description", "id"]


async def test_a_creation_that_is_sent_again_returns_what_the_first_one_made(client: Client, maker: str) -> None:
    made = await make(client, maker, id="mine")
    assert await make(client, maker, id="doc_mine") == made
    assert (await make(client, maker, id="mine", title="Another"))["__typename"] == "IdTaken"
    assert len((await client(DOCUMENTS))["documents"]["edges"]) == 1


async def test_the_creation_of_another_author_is_no_retry(serve: Serve, client: Client, maker: str) -> None:
    await make(client, maker, id="mine")
    async with serve(Principal("ann", "local", Role.EDITOR)) as ann:
        assert (await make(ann, maker, id="mine"))["__typename"] == "IdTaken"


async def test_an_id_that_a_document_has_is_taken(client: Client, maker: str) -> None:
    await create_document(client, "The first", id="doc_mine")
    refused = await make(client, maker, id="doc_mine")
    assert refused["__typename"] == "IdTaken"
    assert refused["code"] == "ID_TAKEN"
    assert refused["takenId"] == "doc_mine"
    assert (await client(DOCUMENT, id="doc_mine"))["document"]["title"] == "The first"


async def test_an_id_that_a_document_in_the_trash_has_is_taken(client: Client, database: Database, maker: str) -> None:
    await factories.document(database, id="doc_mine", deleted_at=TRASHED)
    assert (await make(client, maker, id="doc_mine"))["__typename"] == "IdTaken"
    assert (await client(DOCUMENT, id="doc_mine"))["document"] is None


async def test_an_id_that_only_another_workspace_uses_is_free(client: Client, database: Database, maker: str) -> None:
    await factories.workspace(database, "other")
    await factories.document(database, workspace_id="other", id="doc_mine", title="Theirs")
    assert (await make(client, maker, id="doc_mine"))["title"] == "A document"
    assert (await client(DOCUMENT, id="doc_mine"))["document"]["title"] == "A document"


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_only_an_editor_makes_documents(serve: Serve, maker: str, role: Role) -> None:
    async with serve(Principal("ann", "local", role)) as client:
        refused = await make(client, maker, id="doc_mine")
        assert (refused["__typename"], refused["code"], refused["subjectId"]) == ("Forbidden", "FORBIDDEN", None)
        assert (await client(DOCUMENT, id="doc_mine"))["document"] is None


async def test_a_document_says_who_made_it(serve: Serve, maker: str) -> None:
    async with serve(Principal("ann", "local", Role.EDITOR)) as client:
        assert (await make(client, maker))["createdBy"] == {"id": "user_ann"}
