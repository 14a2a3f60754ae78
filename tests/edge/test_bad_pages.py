"""Pages that cannot be meant, and cursors that no connection gave."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.api import operations
from tests.edge import hostile
from tests.edge.conftest import Log
from tests.support.client import Client

EDGES = "{ edges { cursor } }"
NEVER = "2026-01-01T00:00:00+00:00"


class Paged(NamedTuple):
    """A connection: the name of its field, how to come to it, its largest page, and a key in its order."""

    name: str
    operation: str
    largest: int
    key: tuple[Any, ...]


CONNECTIONS = [
    Paged(
        "documents",
        f"query ($first: Int, $after: String) {{ documents(first: $first, after: $after) {EDGES} }}",
        100,
        (NEVER, "doc_x"),
    ),
    Paged(
        "sections",
        "query ($document: ID!, $first: Int, $after: String) "
        f"{{ document(id: $document) {{ sections(first: $first, after: $after) {EDGES} }} }}",
        500,
        ("a0", "sec_x"),
    ),
    Paged(
        "documents",
        "query ($section: ID!, $first: Int, $after: String) "
        f"{{ section(id: $section) {{ documents(first: $first, after: $after) {EDGES} }} }}",
        100,
        (NEVER, "doc_x"),
    ),
    Paged(
        "trashedDocuments",
        f"query ($first: Int, $after: String) {{ trashedDocuments(first: $first, after: $after) {EDGES} }}",
        100,
        (NEVER, "doc_x"),
    ),
    Paged(
        "trashedSections",
        f"query ($first: Int, $after: String) {{ trashedSections(first: $first, after: $after) {EDGES} }}",
        100,
        (NEVER, "sec_x"),
    ),
    Paged(
        "messages",
        "query ($chat: ID!, $first: Int, $after: String, $last: Int, $before: String) { chatSession(id: $chat) "
        f"{{ messages(first: $first, after: $after, last: $last, before: $before) {EDGES} }} }}",
        100,
        (1,),
    ),
]


@pytest.fixture(autouse=True)
def nothing_to_look_at(log: Log) -> Iterator[None]:
    """Insist that what a client does wrong is no news for who reads the log."""
    yield
    assert log.complaints() == []


@pytest.fixture
async def ids(client: Client) -> dict[str, str]:
    """Make one of each, and put one of each into the trash; return the ids by the names of the variables."""
    document = await operations.import_document(client, "# A section\n\nText.")
    (section,) = await operations.section_ids(client, document)
    chat = await operations.ensure_chat(client, document, section)
    await operations.post_message(client, chat, "Hello")
    trashed = await operations.import_document(client, "# A section")
    (trashed_section,) = await operations.section_ids(client, trashed)
    await operations.trash(client, document=trashed, section=trashed_section)
    return {"document": document, "section": section, "chat": chat}


def used(ids: dict[str, str], paged: Paged) -> dict[str, str]:
    return {name: value for name, value in ids.items() if f"${name}:" in paged.operation}


def edges(data: Any) -> list[Any]:
    """Return the edges of the one connection in some data."""
    while "edges" not in data:
        (data,) = data.values()
    found: list[Any] = data["edges"]
    return found


async def code(client: Client, paged: Paged, ids: dict[str, str], **arguments: Any) -> str:
    """Insist on one error, and return its code."""
    answer = await client.result(paged.operation, **used(ids, paged), **arguments)
    assert "errors" in answer, arguments
    (error,) = answer["errors"]
    found: str = error["extensions"]["code"]
    return found


async def test_a_size_is_null_or_from_nothing_to_the_largest(client: Client, ids: dict[str, str]) -> None:
    for paged in CONNECTIONS:
        for first, expected in ((None, 1), (0, 0), (1, 1), (paged.largest, 1)):
            assert len(edges(await client(paged.operation, first=first, **used(ids, paged)))) == expected

        for first in (-1, paged.largest + 1, 2**31 - 1, -(2**31)):
            assert await code(client, paged, ids, first=first) == "BAD_USER_INPUT"
        for other in (2**31, -(2**31) - 1, 1e300):
            assert await code(client, paged, ids, first=other) == "BAD_USER_INPUT"


async def test_only_messages_are_counted_from_the_end_and_from_one_end_at_a_time(
    client: Client, ids: dict[str, str]
) -> None:
    *others, messages = CONNECTIONS
    assert not [paged.name for paged in others if "last" in paged.operation]

    assert len(edges(await client(messages.operation, last=1, **used(ids, messages)))) == 1
    for last in (-1, messages.largest + 1, 2**31 - 1):
        assert await code(client, messages, ids, last=last) == "BAD_USER_INPUT"
    assert await code(client, messages, ids, first=1, last=1) == "BAD_USER_INPUT"


async def test_a_cursor_that_no_connection_gave_is_refused(client: Client, ids: dict[str, str]) -> None:
    for paged in CONNECTIONS:
        await client(paged.operation, after=hostile.cursor(paged.name, *paged.key), **used(ids, paged))
        for argument in ("after", "before"):
            if f"${argument}:" in paged.operation:
                for what, bad in hostile.cursors(paged.name, *paged.key).items():
                    assert await code(client, paged, ids, **{argument: bad}) == "BAD_USER_INPUT", what


async def test_an_empty_cursor_is_left_out(client: Client, ids: dict[str, str]) -> None:
    for paged in CONNECTIONS:
        whole = await client(paged.operation, **used(ids, paged))
        for argument in ("after", "before"):
            if f"${argument}:" in paged.operation:
                assert await client(paged.operation, **{argument: ""}, **used(ids, paged)) == whole


async def test_a_cursor_of_another_connection_is_refused(client: Client, ids: dict[str, str]) -> None:
    given = {paged.name: edges(await client(paged.operation, **used(ids, paged)))[0]["cursor"] for paged in CONNECTIONS}
    for paged in CONNECTIONS:
        for name, cursor in given.items():
            if name != paged.name:
                assert await code(client, paged, ids, after=cursor) == "BAD_USER_INPUT"


async def test_a_hundred_nodes_are_found_at_once_and_not_one_more(client: Client, ids: dict[str, str]) -> None:
    operation = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    found = (await client(operation, ids=[ids["section"]] * 100))["nodes"]
    answer = await client.result(operation, ids=[ids["section"]] * 101)

    assert found == [{"id": ids["section"]}] * 100
    assert answer["data"] == {"nodes": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
