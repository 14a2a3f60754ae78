"""Values that no argument can take: an outcome, null or an error that says so, whatever the field."""

from collections.abc import Iterator
from typing import Any

import graphql
import pytest

from tests.api import operations
from tests.api.test_api_keys import REVOKE_KEY
from tests.api.test_share_links import REVOKE_LINK
from tests.edge import hostile
from tests.edge.conftest import Log
from tests.edge.fields import WAYS, Field, World, fields
from tests.support.client import Client
from tests.support.thorough import thorough

# A good key in the order of each connection, by the name of its field.
NEVER = "2026-01-01T00:00:00+00:00"

KEYS: dict[str, tuple[Any, ...]] = {
    "documents": (NEVER, "doc_x"),
    "trashedDocuments": (NEVER, "doc_x"),
    "trashedSections": (NEVER, "sec_x"),
    "sections": ("a0", "sec_x"),
    "messages": (1,),
    "revisions": (1,),
    "placements": ("doc_x",),
    "grants": ("x",),
    "shareLinks": (NEVER, "link_x"),
    "apiKeys": (NEVER, "key_x"),
    "auditEntries": (NEVER, "audit_x"),
}


TEXTS = hostile.TEXTS if thorough() else hostile.TEXTS | {"5 MB": "x" * 5_000}
"""Of any length in a thorough run only: other tests hold the length of each argument against its limit."""


def hostile_values(field: Field, name: str, type_: graphql.GraphQLInputType) -> dict[str, Any]:
    """Return what a client may send for an argument of a field, and should not."""
    if "[" in str(type_):
        each = {what: ["doc_x", value] for what, value in hostile.IDS.items()}
        return each | hostile.OTHER_TYPES | {"101 ids": ["doc_x"] * 101, "10,000 ids": ["doc_x"] * 10_000}
    named = graphql.get_named_type(type_)
    kind = named.name
    if graphql.is_input_object_type(named):
        return {
            f"{what} for {part}": {part: value}
            for part, inner in named.fields.items()
            for what, value in hostile_values(field, part, inner.type).items()
        } | hostile.OTHER_TYPES
    if kind == "DateTime":
        return TEXTS | hostile.TIMES | hostile.OTHER_TYPES
    if graphql.is_enum_type(named):
        return TEXTS | hostile.OTHER_TYPES
    if kind == "String":
        texts = hostile.cursors(field.name, *KEYS[field.name]) if name in ("after", "before") else TEXTS
        return texts | hostile.OTHER_TYPES
    values: dict[str, dict[str, Any]] = {
        "ID": hostile.IDS,
        "Int": hostile.NUMBERS,
        "Boolean": {},
        "JSON": {"a list": [], "a number": 1, "deep": [[[[{}]]]], "a NUL": {"\0": "\0"}, "huge": {"a": 10**400}},
    }
    return values[kind] | hostile.OTHER_TYPES


@pytest.fixture(autouse=True)
def nothing_to_look_at(log: Log) -> Iterator[None]:
    """Insist that what a client does wrong is no news for who reads the log."""
    yield
    assert log.complaints() == []


def codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer.get("errors", ())}


@pytest.mark.slow
async def test_no_value_of_an_argument_breaks_a_field(client: Client, world: World) -> None:
    for field in fields():
        good = world.good(field)
        for name, argument in field.definition.args.items():
            for what, value in hostile_values(field, name, argument.type).items():
                answer = await client.result(field.operation, **good | {name: value})
                assert codes(answer) <= {"BAD_REQUEST", "BAD_USER_INPUT"}, f"{what} for {name} of {field}: {answer}"


@pytest.mark.slow
async def test_every_field_works_when_all_is_good(client: Client, world: World) -> None:
    tried = fields()
    for field in tried:
        answer = await client.result(field.operation, **world.good(field))
        assert "errors" not in answer, field
        assert "code" not in str(answer), answer
    assert {field.parent for field in tried} == set(WAYS)


def prefixed(prefix: str, bad: str) -> str:
    """Return an id as the server reads it."""
    return bad if not bad or bad.startswith(prefix) else prefix + bad


async def test_a_document_id_that_is_none_is_not_found(client: Client, world: World) -> None:
    for bad in hostile.IDS.values():
        for operation in (operations.ENSURE_CHAT, operations.PLACE_SECTION, operations.REMOVE_SECTION):
            ((_, outcome),) = (await client(with_ids(operation), docId=bad, sectionId=world.section)).items()
            assert outcome == {
                "__typename": "DocumentNotFound",
                "code": "DOCUMENT_NOT_FOUND",
                "docId": prefixed("doc_", bad),
            }

        outcome = (await client(operations.CREATE_SECTION, docId=bad))["createSection"]
        assert (outcome["__typename"], outcome["docId"]) == ("DocumentNotFound", prefixed("doc_", bad))


async def test_a_section_id_that_is_none_is_not_found(client: Client, world: World) -> None:
    for bad in hostile.IDS.values():
        for operation in (operations.ENSURE_CHAT, operations.PLACE_SECTION, operations.REMOVE_SECTION):
            ((_, outcome),) = (await client(with_ids(operation), docId=world.document, sectionId=bad)).items()
            assert outcome == {
                "__typename": "SectionNotFound",
                "code": "SECTION_NOT_FOUND",
                "sectionId": prefixed("sec_", bad),
            }


def with_ids(operation: str) -> str:
    """Select of an outcome its type, its code and its ids, and nothing of the success."""
    ids = "... on DocumentNotFound { docId } ... on SectionNotFound { sectionId }"
    return operation[: operation.index("__typename")] + f"__typename ... on Error {{ code }} {ids} }} }}"


async def test_a_chat_id_that_is_none_is_not_found_as_it_was_sent(client: Client) -> None:
    for bad in hostile.IDS.values():
        outcome = (await client(operations.POST_MESSAGE, chatId=bad, content="Hello"))["postMessage"]
        assert (outcome["__typename"], outcome["chatId"]) == ("ChatSessionNotFound", bad)


async def test_a_node_id_that_is_none_finds_nothing(client: Client, world: World) -> None:
    for bad in hostile.IDS.values():
        found = await client(
            "query ($bad: ID!, $ids: [ID!]!) { node(id: $bad) { id } document(id: $bad) { id } "
            "section(id: $bad) { id } chatSession(id: $bad) { id } nodes(ids: $ids) { id } }",
            bad=bad,
            ids=[bad, world.document, bad],
        )
        nodes = [None, {"id": world.document}, None]
        assert found == {"node": None, "document": None, "section": None, "chatSession": None, "nodes": nodes}


async def test_a_secret_that_is_none_is_not_found(client: Client) -> None:
    for bad in hostile.IDS.values():
        for operation, name, prefix in ((REVOKE_KEY, "keyId", "key_"), (REVOKE_LINK, "linkId", "link_")):
            ((_, outcome),) = (await client(operation, **{name: bad})).items()
            assert outcome["code"] in ("API_KEY_NOT_FOUND", "SHARE_LINK_NOT_FOUND")
            assert outcome[name] == prefixed(prefix, bad)


async def test_an_id_that_is_none_cannot_be_chosen(client: Client, world: World) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        (operations.CREATE_DOCUMENT, {"title": "A title"}),
        (operations.IMPORT_DOCUMENT, {"markdown": "# A"}),
        (operations.CREATE_SECTION, {"docId": world.document}),
    ]
    for operation, arguments in calls:
        for bad in hostile.NO_IDS.values():
            ((_, outcome),) = (await client(operation, id=bad, **arguments)).items()
            assert (outcome["__typename"], outcome["violations"][0]["path"][-1]) == ("InvalidInput", "id")


@pytest.mark.slow
async def test_a_text_that_cannot_be_kept_is_named(client: Client, world: World) -> None:
    calls: list[tuple[str, dict[str, Any], list[str]]] = [
        (operations.CREATE_DOCUMENT, {"title": "A title"}, ["title", "description"]),
        (operations.IMPORT_DOCUMENT, {"markdown": "# A"}, ["title", "markdown"]),
        (operations.CREATE_SECTION, {"docId": world.document}, ["title", "content"]),
        (operations.POST_MESSAGE, {"chatId": world.chat, "content": "A text"}, ["content", "clientId"]),
    ]
    for operation, good, arguments in calls:
        for argument in arguments:
            for what in ("a NUL", "half a character", "halves the wrong way round", "5 MB"):
                ((_, outcome),) = (await client(operation, **good | {argument: hostile.TEXTS[what]})).items()
                assert (outcome["__typename"], outcome["violations"][0]["path"][-1]) == ("InvalidInput", argument), what


async def test_a_level_that_is_none_is_invalid(client: Client, world: World) -> None:
    for level in (0, 7, -1, 2**31 - 1):
        outcome = (await client(operations.CREATE_SECTION, docId=world.document, level=level))["createSection"]
        assert (outcome["__typename"], outcome["violations"][0]["path"]) == ("InvalidInput", ["section", "level"])

    answer = await client.result(operations.CREATE_SECTION, docId=world.document, level=2**31)

    assert codes(answer) == {"BAD_USER_INPUT"}


async def test_a_variable_that_does_not_fit_is_named(client: Client) -> None:
    missing = await client.result("query ($chat: ID!) { chatSession(id: $chat) { id } }")
    wrong = await client.result("query ($first: Int) { documents(first: $first) { __typename } }", first="many")
    for answer, name in ((missing, "$chat"), (wrong, "$first")):
        assert codes(answer) == {"BAD_USER_INPUT"}
        assert name in answer["errors"][0]["message"]
