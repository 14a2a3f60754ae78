"""The schema as a secret: off means off, in answers and in errors."""

import json
import re
from typing import Any

import pytest
from graphql import get_introspection_query

from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support.client import Client

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MISTAKES = [
    "{ documentz { __typename } }",
    '{ document(id: "doc_a") { titel } }',
    '{ document(id: "doc_a") { ... on Sektion { id } } }',
    '{ document(idd: "doc_a") { id } }',
    "query ($a: Dokument) { __typename }",
    "fragment A on Documents { id } { ...A }",
]
VARIABLES = ("query ($first: Int) { documents(first: $first) { __typename } }", {"first": "many"})


async def test_introspection_can_be_switched_off(serve: Serve) -> None:
    async with serve(introspection=False) as client:
        for query in (
            get_introspection_query(),
            "{ __schema { types { name } } }",
            '{ __type(name: "Query") { name } }',
            '{ ...A } fragment A on Query { a: __type(name: "Query") { name } }',
        ):
            answer = await client.result(query)
            assert "data" not in answer
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
        assert await client("{ __typename documents { __typename edges { cursor } } }")


@pytest.mark.parametrize("settings", [{"introspection": False}, {"suggestions": False}])
async def test_errors_then_suggest_nothing(serve: Serve, settings: dict[str, bool]) -> None:
    async with serve(**settings) as client:
        for query in MISTAKES:
            answer = await client.result(query)
            assert "Did you mean" not in str(answer), query
        assert "Did you mean" not in str(await client.result(VARIABLES[0], **VARIABLES[1]))


GUESSES = [
    "account",
    "accounts",
    "chat",
    "chats",
    "chatSession",
    "chatSessions",
    "comment",
    "comments",
    "content",
    "createDocument",
    "createSection",
    "doc",
    "docs",
    "document",
    "documents",
    "doctor",
    "ensureChat",
    "ensureSectionChat",
    "id",
    "import",
    "importDocument",
    "item",
    "items",
    "me",
    "message",
    "messages",
    "name",
    "node",
    "nodes",
    "note",
    "notes",
    "page",
    "pages",
    "postMessage",
    "query",
    "removeSection",
    "repair",
    "search",
    "section",
    "sectionChatOpened",
    "sections",
    "session",
    "sessions",
    "subscribe",
    "text",
    "title",
    "trash",
    "update",
    "updateDocument",
    "updateSection",
    "user",
    "users",
    "workspace",
    "workspaces",
]


def told_by(answer: dict[str, Any]) -> str:
    """Return an answer without where its errors stand."""
    return re.sub(r'"(line|column)": \d+', "", json.dumps(answer))


@pytest.mark.slow
async def test_guessed_words_recover_nothing_of_the_schema_from_errors(serve: Serve) -> None:
    """A word that means something is answered as one that does not, whatever is wrong beside it."""
    forms = (
        "{{ {0} }}",
        "{{ {0}(zz: 1) }}",
        "{{ {0} {{ zz }} }}",
        "mutation {{ {0} }}",
        "mutation {{ {0} {{ zz }} }}",
        "subscription {{ {0} }}",
        "query ($zz: {0}) {{ zz(zz: $zz) }}",
        "{{ ...Zz }} fragment Zz on {0} {{ zz }}",
        "{{ documents(first: 1, {0}: 1) {{ zz }} }}",
        "{{ documents({0}: ZZ) {{ __typename }} }}",
    )
    async with serve(introspection=False) as client:
        for form in forms:
            told = {told_by(await client.result(form.format(word))) for word in ("zzz", *GUESSES)}
            assert len(told) == 1, form


NAMES_OF_THE_SCHEMA = re.compile(
    r"Connection|DocumentEdge|String|\bInt\b|\bID\b|Query\b|Mutation\b|SectionChanges|[a-z]!"
)


async def test_no_error_names_a_type_that_the_client_has_not_sent(serve: Serve) -> None:
    queries = [
        *MISTAKES,
        "{ documents }",
        "{ documents(first: true) { __typename } }",
        "{ documents { edges { node { title { zz } } } } }",
        "{ documents { edges { node { ... on Section { title } } } } }",
        "{ node { id } }",
        "{ a: documents { edges { cursor } } a: document(id: 1) { title } }",
        "mutation { updateSection(id: 1, changes: {zz: 1}) { __typename } }",
        "mutation { updateSection(id: 1, changes: 5) { __typename } }",
        "query ($a: Boolean) { documents(first: $a) { __typename } }",
        "{ documents { __typename @skip } }",
        "{ documents @deprecated { __typename } }",
    ]
    async with serve(introspection=False) as client:
        for query in queries:
            told = json.dumps((await client.result(query))["errors"])
            assert not NAMES_OF_THE_SCHEMA.search(told), (query, told)
        told = json.dumps((await client.result(VARIABLES[0], **VARIABLES[1]))["errors"])
        assert "$first" in told
        assert not NAMES_OF_THE_SCHEMA.search(told), told


async def test_errors_of_the_document_alone_stay_as_they_are(serve: Serve) -> None:
    async with serve(introspection=False) as client:
        answer = await client.result("query ($unused: Int) { ...Missing }")
    assert "$unused" in str(answer)
    assert "Missing" in str(answer)


async def test_they_do_otherwise(serve: Serve) -> None:
    async with serve() as client:
        suggested = [query for query in MISTAKES if "Did you mean" in str(await client.result(query))]
    assert suggested == MISTAKES


async def test_the_explorer_can_be_switched_off(serve: Serve) -> None:
    async with serve(explorer=False) as client:
        for path in ("/graphiql", "/"):
            assert (await client.http.get(path)).status_code == 404


async def test_every_type_tells_whether_it_takes_one_of_its_fields(client: Client, log: Log) -> None:
    """Also the lists and the non-null ones, of which it makes no sense; Strawberry's own answer to that is a fault."""
    told = await client("{ __schema { types { kind isOneOf fields { type { isOneOf ofType { isOneOf } } } } } }")
    kinds = {(kind["kind"], kind["isOneOf"]) for kind in told["__schema"]["types"]}
    assert ("OBJECT", None) in kinds
    assert log.complaints() == []
