"""What is read: every field can be selected alone, and no statement reads a column that is not selected."""

import re
from collections.abc import Iterator, Mapping

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_object_type,
    is_required_argument,
)

from db.connection.database import Database
from db.models import Base, ChatSession, Document, Message, Placement, Section, attributes
from db.reading.rows import KEYS
from schema.build import graphql_schema
from tests.api.operations import ensure_chat, import_document, post_message, section_ids
from tests.support.client import Served
from tests.support.counting import counted

LABEL = re.compile(r'AS "?(Document|opened_through|Section|Placement|ChatSession|Message)_(\w+?)"?[ ,\n]')
"""A column in a statement that reads light rows, as `Part.of` labels it."""

MODELS: Mapping[str, type[Base]] = {
    "Document": Document,
    "opened_through": Document,
    "Section": Section,
    "Placement": Placement,
    "ChatSession": ChatSession,
    "Message": Message,
}

COLUMNS = {
    "title": "title",
    "metadata": "details",
    "createdBy": "created_by",
    "changeSummary": "change_summary",
    "isGenerated": "is_generated",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "deletedAt": "deleted_at",
    "messageCount": "last_seq",
    "clientId": "client_id",
    # The total count of the connection.
    "messages": "last_seq",
}
"""The columns of the fields that have other names than these."""


SEVERAL = {"editedBy": {"edited_by", "created_by"}, "contentHtml": {"level", "content", "link_definitions"}}
"""The columns of the fields that read several."""


def selection(field: GraphQLField) -> str:
    """Select something below a field that is of no table, or the keys of what is."""
    kind = get_named_type(field.type)
    if is_leaf_type(kind):
        return ""
    if is_object_type(kind) and "edges" in kind.fields:
        edge = get_named_type(kind.fields["edges"].type)
        assert is_object_type(edge)
        return f" {{ pageInfo {{ hasNextPage }} edges {{ cursor node{selection(edge.fields['node'])} }} }}"
    return " { id }" if is_object_type(kind) and "id" in kind.fields else " { __typename }"


def fields() -> Iterator[tuple[str, str]]:
    kinds = graphql_schema().type_map
    for name in ("Document", "Section", "ChatSession", "Message"):
        kind = kinds[name]
        assert isinstance(kind, GraphQLObjectType)
        for field_name, field in kind.fields.items():
            if any(map(is_required_argument, field.args.values())):
                continue  # tests/api/test_history.py
            yield name, f"{field_name}{selection(field)}"


@pytest.fixture
async def ids(client: Served) -> dict[str, str]:
    document = await import_document(client, "# Title\n\n## One\n\ntext")
    section = (await section_ids(client, document))[0]
    chat = await ensure_chat(client, document, section)
    message = (await post_message(client, chat, "hello"))["id"]
    return {"Document": document, "Section": section, "ChatSession": chat, "Message": message}


def read(statements: list[str]) -> set[tuple[type[Base], str]]:
    """Return the columns that statements read of light rows."""
    return {(MODELS[name], column) for text in statements for name, column in LABEL.findall(text)}


def without_keys(columns: set[tuple[type[Base], str]]) -> set[tuple[type[Base], str]]:
    return {(kind, column) for kind, column in columns if column not in KEYS[kind]}


async def test_every_field_can_be_selected_alone_and_reads_its_column_alone(
    client: Served, database: Database, ids: dict[str, str]
) -> None:
    model_columns = {kind: set(attributes(kind)) for kind in MODELS.values()}
    for kind, field in fields():
        with counted(client.database) as statements:
            await client(f"query ($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {field} }} }} }}", id=ids[kind])
        name = field.split()[0]
        wanted = SEVERAL.get(name) or {COLUMNS.get(name, name)}
        allowed = {(MODELS[kind], column) for column in wanted & model_columns[MODELS[kind]]}
        columns = read(statements)
        assert columns, (field, statements)
        assert without_keys(columns) - allowed == set(), field
        assert (
            name in ("messages", "documents", "sections", "grants", "shareLinks", "revisions", "placements")
            or allowed - {(MODELS[kind], "id")} <= columns
        ), field


async def test_a_margin_reads_no_text(client: Served, ids: dict[str, str]) -> None:
    margin = """
    query ($id: ID!) {
      document(id: $id) { title sections(first: 200) { edges { node { id title chat { id messageCount } } } } }
    }
    """
    with counted(client.database) as statements:
        await client(margin, id=ids["Document"])
    assert len(statements) == 3
    assert without_keys(read(statements)) == {(Document, "title"), (Section, "title"), (ChatSession, "last_seq")}
    assert not any("content" in statement for statement in statements)


async def test_a_hot_ensure_reads_what_is_selected(client: Served, ids: dict[str, str]) -> None:
    ensure = """
    mutation ($docId: ID!, $sectionId: ID!) {
      ensureSectionChat(docId: $docId, sectionId: $sectionId) {
        ... on ChatSession { id messageCount section { title } document { id } }
      }
    }
    """
    with counted(client.database) as statements:
        await client(ensure, docId=ids["Document"], sectionId=ids["Section"])
    assert len(statements) == 1
    needed = {(Section, "chat_session_id")}
    assert without_keys(read(statements)) == {(Section, "title"), (ChatSession, "last_seq"), *needed}
