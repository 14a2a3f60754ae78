"""Documents: making one, naming it, reading it back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from db.connection.database import Database
from services.principals import Principal, Role
from tests.api.operations import CREATE_DOCUMENT, DOCUMENT, IMPORT_DOCUMENT, TRASHED, create_document
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


async def make(client: Client, maker: str, **arguments: Any) -> dict[str, Any]:
    operation, needed = MAKERS[maker]
    made: dict[str, Any] = (await client(operation, **{**needed, **arguments}))[maker]
    return made


async def test_a_document_is_made_and_read_back(client: Client) -> None:
    made = await make(client, "createDocument", title="Plan", description="What we\nwant.")
    assert made.pop("__typename") == "Document"
    assert made["id"].startswith("doc_")
    assert made["title"] == "Plan"
    assert made["description"] == "What we\nwant."
    assert made["createdBy"] == "local"
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
        assert (refused["code"], refused["argument"]) == ("INVALID_INPUT", "title")
        assert refused["message"] == f"title {refused['reason']}"


async def test_a_title_may_have_as_many_characters_as_published(client: Client, maker: str) -> None:
    assert (await make(client, maker, title="🎈" * 1_000))["title"] == "🎈" * 1_000


async def test_a_description_is_limited_as_published(client: Client) -> None:
    assert (await make(client, "createDocument", description="é" * 10_000))["description"] == "é" * 10_000
    refused = await make(client, "createDocument", description="é" * 10_001)
    assert (refused["__typename"], refused["argument"]) == ("InvalidInput", "description")


async def test_a_caller_may_choose_the_id(client: Client, maker: str) -> None:
    for own_id in ("doc_", "doc_a", "doc_Z-9_", "doc_" + "x" * 60):
        assert (await make(client, maker, id=own_id))["id"] == own_id
        assert (await client(DOCUMENT, id=own_id))["document"]["title"] == "A document"


async def test_an_id_of_another_form_is_refused(client: Client, maker: str) -> None:
    for own_id in ("", "doc", "x_doc_a", "sec_a", "DOC_a", "doc_a b", "doc_ä", "doc_a\n", "doc_" + "x" * 61, "doc_\0"):
        refused = await make(client, maker, id=own_id)
        assert (refused["__typename"], refused.get("argument")) == ("InvalidInput", "id"), own_id


async def test_an_id_that_a_document_has_is_taken(client: Client, maker: str) -> None:
    await create_document(client, "The first", id="doc_mine")
    refused = await make(client, maker, id="doc_mine")
    assert refused["__typename"] == "IdTaken"
    assert refused["code"] == "ID_TAKEN"
    assert refused["id"] == "doc_mine"
    assert (await client(DOCUMENT, id="doc_mine"))["document"]["title"] == "The first"


async def test_an_id_that_a_document_in_the_trash_has_is_taken(client: Client, database: Database, maker: str) -> None:
    await factories.document(database, id="doc_mine", deleted_at=TRASHED)
    assert (await make(client, maker, id="doc_mine"))["__typename"] == "IdTaken"
    assert (await client(DOCUMENT, id="doc_mine"))["document"] is None


async def test_an_id_that_only_another_workspace_uses_is_free(client: Client, database: Database, maker: str) -> None:
    await factories.workspace(database, "other")
    await factories.document(database, workspace_id="other", id="doc_mine", title="Theirs")
    assert (await make(client, maker, id="doc_mine"))["__typename"] == "Document"
    assert (await client(DOCUMENT, id="doc_mine"))["document"]["title"] == "A document"


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
async def test_only_an_editor_makes_documents(serve: Serve, maker: str, role: Role) -> None:
    async with serve(Principal("ann", "local", role)) as client:
        refused = await make(client, maker, id="doc_mine")
        assert (refused["__typename"], refused["code"], refused["subjectId"]) == ("Forbidden", "FORBIDDEN", None)
        assert (await client(DOCUMENT, id="doc_mine"))["document"] is None


async def test_a_document_says_who_made_it(serve: Serve, maker: str) -> None:
    async with serve(Principal("ann", "local", Role.EDITOR)) as client:
        assert (await make(client, maker))["createdBy"] == "ann"
