"""The access matrix: every root field of the schema, for every kind of principal, answers as the table says."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from db.connection.database import Database
from db.principals import Role
from tests.api.access_operations import FIELDS, KINDS, UNLIMITED, arguments, operation
from tests.api.access_table import TABLE, Beside, Case, Cursor, New, Of, Placed, Taken, filled, leaves
from tests.api.access_world import PLACES, PRINCIPALS, Who, World, may
from tests.conftest import Serve
from tests.support.asgi_socket import asgi_socket
from tests.support.client import Served
from tests.support.tokens import SECRET, bearer

NOT_FOUND = {
    "document": "DOCUMENT_NOT_FOUND",
    "trashed_document": "DOCUMENT_NOT_FOUND",
    "section": "SECTION_NOT_FOUND",
    "quiet_section": "SECTION_NOT_FOUND",
    "trashed_section": "SECTION_NOT_FOUND",
    "chat": "CHAT_SESSION_NOT_FOUND",
    "link": "SHARE_LINK_NOT_FOUND",
    "key": "API_KEY_NOT_FOUND",
}
SUCCESS = "success"

Places = Mapping[str, str]
"""The place of the object of each argument, by path."""


def expected(who: Who, case: Case, places: Places) -> str:
    """Return the outcome of a case: a success or the code of an error."""
    given = leaves(case.arguments)
    for need in case.needs:
        if isinstance(need, Placed):
            if len({places[path] for path in need.arguments or places}) > 1:
                return "SECTION_NOT_IN_DOCUMENT"
        elif isinstance(need, Taken):
            if who.role_on("section", places[need.argument]) is None:
                is_there = PLACES[places[need.argument]] == who.workspace
                return "ID_TAKEN" if is_there else SUCCESS
            if not may(who.role_on("section", places[need.argument]), need.action):
                return "FORBIDDEN"
        elif need.argument is None:
            if not may(who.role, need.action):
                return "FORBIDDEN"
        else:
            kind = given[need.argument].kind
            role = who.role_on(kind, places[need.argument])
            if role is None:
                return NOT_FOUND.get(kind, "NODE_NOT_FOUND")
            if not may(role, need.action):
                return "FORBIDDEN"
    return SUCCESS


def outcome(name: str, result: Mapping[str, Any]) -> str:
    """Return what a response says: a success or the code of an error."""
    if "errors" in result:
        return str(result["errors"][0]["extensions"]["code"])
    answer = result["data"][name]
    match name:
        case "nodes":
            answer = answer[0]
        case "ensureSectionChats" if "code" not in answer:
            answer = answer["EnsureSectionChatsSuccess_results"][0]["EnsuredSectionChat_error"] or {}
        case "ensureDocumentChats" if answer.get("EnsureDocumentChatsSuccess_refusedCount"):
            return "FORBIDDEN"
    if answer is None:
        return "null"
    return str(answer.get("code", SUCCESS))


def ways(case: Case, who: Who) -> Iterator[Places]:
    """Return the places from which the ids of a case are taken: all that concern a principal, in all pairs."""
    paths = [path for path, value in leaves(case.arguments).items() if isinstance(value, Of)]
    near = [
        place for place in PLACES if place in ("open", "restricted", *(who.named or ())) or who.workspace == "other"
    ]
    for chosen in product([place for place in PLACES if place in near], repeat=len(paths)):
        yield dict(zip(paths, chosen, strict=True))


class Matrix:
    """A server that takes tokens, on worlds that follow each other as calls change them."""

    def __init__(self, client: Served, database: Database) -> None:
        self.client = client
        self.database = database
        self.world = World(0)
        self.fresh_ids = 0
        self.cursors: dict[str, list[tuple[str, str]]] = {}

    async def renew(self) -> None:
        """Go on in a new world."""
        self.world = await World(self.world.number + 1).build(self.database)

    async def send(self, token: str | None, name: str, given: Mapping[str, Any]) -> Any:
        """Send an operation, and return the response."""
        body = {"query": operation(name, *given), "variables": given}
        headers = {"Accept": "application/json", **(bearer(token) if token else {})}
        return await self.client.http.post("/graphql", json=body, headers=headers)

    async def values(self, name: str, case: Case, places: Places) -> dict[str, Any]:
        """Return the arguments of a case."""
        chosen: dict[str, Any] = {}
        for path, value in leaves(case.arguments).items():
            if isinstance(value, Of):
                chosen[path] = self.world.id(value.kind, places[path])
            elif isinstance(value, Beside):
                chosen[path] = self.world.id(value.kind, places["docId"])
            elif isinstance(value, New):
                self.fresh_ids += 1
                chosen[path] = f"own{self.fresh_ids}"
            elif isinstance(value, Cursor):
                chosen[path] = (await self.owners_list(name))[value.edge][0]
        arguments: dict[str, Any] = filled(case.arguments, chosen)
        return arguments

    async def owners_list(self, name: str) -> list[tuple[str, str]]:
        """Return the cursors and ids in the owner's list."""
        if name not in self.cursors:
            answer = (await self.send(self.world.token("owner"), name, {"first": 100})).json()
            self.cursors[name] = [(edge["cursor"], edge["node"]["id"]) for edge in answer["data"][name]["edges"]]
        return self.cursors[name]

    async def listed(self, name: str, case: Case, who: Who, places: Places) -> set[str]:
        """Return the ids that a list must have, of those of the world."""
        at_cursor = {
            (await self.owners_list(name))[value.edge][1]
            for value in leaves(case.arguments).values()
            if isinstance(value, Cursor)
        }
        return {
            self.world.id(kind, place)
            for kind, place in product(case.lists, PLACES)
            if who.role_on(kind, place) and set(places.values()) <= {place}
        } - at_cursor

    def hidden_texts(self, who: Who) -> list[str]:
        """Return what a principal must never be shown."""
        texts = [self.world.text(place) for place in PLACES if who.role_on("document", place) is None]
        return texts + [self.world.name(place) for place, there in PLACES.items() if there != who.workspace]


@pytest.fixture
async def matrix(serve: Serve, database: Database) -> Any:
    async with serve(auth="tokens", token_secret=SECRET, event_seconds=0.02, **UNLIMITED) as client:
        made = Matrix(client, database)
        await made.world.build(database)
        yield made


def test_every_root_field_and_argument_is_in_the_table() -> None:
    for name, field in FIELDS.items():
        assert name in TABLE, f"Add the {KINDS[name]} {name} to TABLE in tests/api/access_table.py"
        given: dict[str, Any] = {}
        for case in TABLE[name]:
            given |= leaves(case.arguments)
        for path, of in arguments(field).items():
            assert path in given, f"Add the argument {path} to the cases of {name} in tests/api/access_table.py"
            if of == "ID":
                is_id = isinstance(given[path], Of | New | Beside)
                assert is_id, f"Say with Of or New whose id the argument {path} of {name} takes, in access_table.py"
        assert not given.keys() - arguments(field).keys(), f"The cases of {name} have arguments that it does not take"
    assert not TABLE.keys() - FIELDS.keys(), "TABLE has fields that the schema does not have"


@pytest.mark.slow
async def test_queries_show_what_the_table_says(matrix: Matrix) -> None:
    for name, who in PRINCIPALS.items():
        token = matrix.world.token(name)
        for field in (field for field in TABLE if KINDS[field] == "query"):
            for case in TABLE[field]:
                for places in ways(case, who):
                    given = await matrix.values(field, case, places)
                    response = await matrix.send(token, field, given)
                    found = response.json()
                    where = name, field, given, found
                    if case.lists:
                        assert "errors" not in found, where
                        shown = {edge["node"]["id"] for edge in found["data"][field]["edges"]}
                        known = {matrix.world.id(kind, place) for kind, place in product(case.lists, PLACES)}
                        right = await matrix.listed(field, case, who, places)
                        # Where a cursor of the local workspace stands in the list of another does not matter.
                        is_foreign = who.workspace == "other" and {"after", "before"} & case.arguments.keys()
                        assert shown & known <= right if is_foreign else shown & known == right, where
                        assert shown <= known or who.role is Role.OWNER, where
                    else:
                        ends = expected(who, case, places)
                        refused = ends if field == "doctor" else "null"
                        assert outcome(field, found) == (SUCCESS if ends == SUCCESS else refused), where
                    assert not [text for text in matrix.hidden_texts(who) if text in response.text], where


@pytest.mark.slow
async def test_mutations_do_what_the_table_says(matrix: Matrix) -> None:
    for name, who in PRINCIPALS.items():
        for field in (field for field in TABLE if KINDS[field] == "mutation"):
            for case in TABLE[field]:
                for places in ways(case, who):
                    given = await matrix.values(field, case, places)
                    response = await matrix.send(matrix.world.token(name), field, given)
                    ends = expected(who, case, places)
                    where = name, field, given, response.json()
                    assert outcome(field, response.json()) == ends, where
                    assert not [text for text in matrix.hidden_texts(who) if text in response.text], where
                    if ends == SUCCESS and case.changes:
                        await matrix.renew()


async def test_subscriptions_are_opened_as_the_table_says(matrix: Matrix) -> None:
    feed = matrix.client.http._transport.app.state.chat_feed  # type: ignore[attr-defined]
    for name, who in PRINCIPALS.items():
        for field in (field for field in TABLE if KINDS[field] == "subscription"):
            for case in TABLE[field]:
                for places in ways(case, who):
                    given = await matrix.values(field, case, places)
                    async with asgi_socket(matrix.client) as socket:
                        await socket.init(bearer(matrix.world.token(name)))
                        await socket.subscribe("1", operation(field, *given), **given)
                        while not feed.subscribers and socket.received.empty():  # noqa: ASYNC110 - nobody tells us
                            await asyncio.sleep(0.005)
                        found = (
                            SUCCESS
                            if feed.subscribers
                            else outcome(field, {"errors": (await socket.receive())["payload"]})
                        )
                    assert found == expected(who, case, places), (name, field, given)
                    while feed.subscribers:  # noqa: ASYNC110 - nobody tells us
                        await asyncio.sleep(0.005)


async def test_expired_and_revoked_tokens_are_refused_everywhere_alike(matrix: Matrix) -> None:
    nobody = await matrix.send(None, "viewer", {})
    assert nobody.status_code == 401
    for field, cases in TABLE.items():
        given = await matrix.values(field, cases[0], next(ways(cases[0], PRINCIPALS["owner"])))
        for name, token in matrix.world.dead_tokens().items():
            response = await matrix.send(token, field, given)
            assert (response.status_code, response.content) == (401, nobody.content), (field, name)
