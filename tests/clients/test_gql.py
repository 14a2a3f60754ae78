"""The Python client gql, against a server in a process of its own: over HTTP and over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.async_transport import AsyncTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

from tests.support.processes import running_server

READ = """
query Read($docId: ID!) {
  document(id: $docId) { id title sections(first: 10) { edges { node { id title chat { id } } } } }
}
"""

ENSURE = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    ... on ChatSession { id ensured section { id title } document { id title } }
    ... on Error { code message }
  }
}
"""

OPENED = """
subscription Opened($docId: ID!) {
  sectionChatOpened(docId: $docId) { chat { id section { id title } document { id title } } }
}
"""

CREATE_DOCUMENT = """
mutation ($title: String!) {
  createDocument(title: $title) { ... on CreateDocumentSuccess { document { id title } } }
}
"""

CREATE_SECTION = """
mutation ($docId: ID!, $title: String!) {
  createSection(docId: $docId, section: {title: $title}) { ... on CreateSectionSuccess { section { id title } } }
}
"""

PATIENCE = 10
GLANCE = 0.2


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(f"sqlite:///{tmp_path_factory.mktemp('gql') / 'marginalia.db'}") as server:
        yield f"{server}/graphql"


def over_http(address: str) -> AsyncTransport:
    return HTTPXAsyncTransport(address)


def over_websocket(address: str) -> AsyncTransport:
    return WebsocketsTransport(address.replace("http", "ws"), subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL])


@pytest.fixture(params=[over_http, over_websocket])
async def session(request: pytest.FixtureRequest, address: str) -> AsyncIterator[AsyncClientSession]:
    """Give the session that a test is about."""
    async with Client(transport=request.param(address)) as opened:
        yield opened


@pytest.fixture
async def http(address: str) -> AsyncIterator[AsyncClientSession]:
    """Give a session for what has to be there before."""
    async with Client(transport=over_http(address)) as opened:
        yield opened


async def test_a_query_is_answered(session: AsyncClientSession, http: AsyncClientSession) -> None:
    document = await new_document(http)
    section = await new_section(http, document)
    read = await run(session, READ, docId=document["id"])
    assert read["document"] == {**document, "sections": {"edges": [{"node": {**section, "chat": None}}]}}
    assert await run(session, READ, docId="doc_none") == {"document": None}


async def test_a_mutation_is_answered(session: AsyncClientSession, http: AsyncClientSession) -> None:
    document = await new_document(http)
    section = await new_section(http, document)
    place = {"docId": document["id"], "sectionId": section["id"]}
    chat = (await run(session, ENSURE, **place))["ensureSectionChat"]
    assert chat == {"id": chat["id"], "ensured": "CREATED", "section": section, "document": document}
    again = (await run(session, ENSURE, **place))["ensureSectionChat"]
    assert again == {**chat, "ensured": "FOUND"}
    nowhere = (await run(session, ENSURE, **{**place, "docId": "doc_none"}))["ensureSectionChat"]
    assert nowhere["code"] == "DOCUMENT_NOT_FOUND"


async def test_an_invalid_query_is_an_error_of_graphql(session: AsyncClientSession) -> None:
    with pytest.raises(TransportQueryError, match="noSuchField"):
        await run(session, "query Unknown { noSuchField }")


async def test_the_client_can_learn_the_schema(address: str) -> None:
    async with Client(transport=over_http(address), fetch_schema_from_transport=True) as session:
        with pytest.raises(GraphQLError, match="noSuchField"):
            session.client.validate(operation("query Unknown { noSuchField }"))
        session.client.validate(operation(ENSURE, docId="doc_none", sectionId="sec_none"))


async def test_a_subscription_hears_of_chats(address: str, http: AsyncClientSession) -> None:
    """Open chats until one is heard of: no protocol says when a subscription is live. From then on each has to be."""
    document = await new_document(http)
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with (
        Client(transport=over_websocket(address)) as session,
        asyncio.timeout(PATIENCE),
        asyncio.TaskGroup() as tasks,
    ):
        listening = tasks.create_task(listen(session, document, heard))
        opened = [await open_chat(http, document)]
        while (first := await heard_soon(heard)) is None:
            opened.append(await open_chat(http, document))
        opened += [await open_chat(http, document), await open_chat(http, document)]
        live = opened[opened.index(first) :]
        assert [first, *[await heard.get() for _ in live[1:]]] == live
        listening.cancel()
        await asyncio.wait([listening])
        # The server has let it go; that nothing more is heard would prove nothing, as nobody listens any more.
        while await subscribers(address) != 0:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)


async def listen(session: AsyncClientSession, document: dict[str, Any], heard: asyncio.Queue[dict[str, Any]]) -> None:
    async for event in session.subscribe(operation(OPENED, docId=document["id"])):
        assert isinstance(event, dict)
        await heard.put(event["sectionChatOpened"]["chat"])


async def heard_soon(heard: asyncio.Queue[dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return await asyncio.wait_for(heard.get(), GLANCE)
    except TimeoutError:
        return None


async def subscribers(address: str) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(address.removesuffix("/graphql") + "/metrics")).text
    return float(text.rsplit("marginalia_subscribers ", 1)[1].split()[0])


async def new_document(session: AsyncClientSession) -> dict[str, Any]:
    made = await run(session, CREATE_DOCUMENT, title=f"The *document* “{uuid4()}”")
    document: dict[str, Any] = made["createDocument"]["document"]
    return document


async def new_section(session: AsyncClientSession, document: dict[str, Any]) -> dict[str, Any]:
    made = await run(session, CREATE_SECTION, docId=document["id"], title=f"§ {uuid4()} 🖋")
    section: dict[str, Any] = made["createSection"]["section"]
    return section


async def open_chat(session: AsyncClientSession, document: dict[str, Any]) -> dict[str, Any]:
    section = await new_section(session, document)
    chat: dict[str, Any] = (await run(session, ENSURE, docId=document["id"], sectionId=section["id"]))[
        "ensureSectionChat"
    ]
    assert chat.pop("ensured") == "CREATED"
    return chat


async def run(session: AsyncClientSession, text: str, **variables: str) -> dict[str, Any]:
    result = await session.execute(operation(text, **variables))
    assert isinstance(result, dict)
    return result


def operation(text: str, **variables: str) -> GraphQLRequest:
    return GraphQLRequest(text, variable_values=variables)
