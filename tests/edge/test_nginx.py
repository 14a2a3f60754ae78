"""Behind nginx: the documented configuration, with TLS, in front of a real server with two workers."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.edge.sockets import PROTOCOL, SECONDS, Socket
from tests.support import nginx, signed_in
from tests.support.nginx import NAME, Nginx
from tests.support.processes import ROOT, Server, running_process

pytestmark = pytest.mark.slow

CLIENT = "127.0.0.2"
"""The address that a client connects from: another one than that of nginx."""

SPOOFED = {
    "X-Forwarded-For": "1.2.3.4",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Real-IP": "1.2.3.4",
    "Forwarded": "for=1.2.3.4;host=evil.example",
}

CREATE = """
mutation { createDocument(title: "A") { ... on CreateDocumentSuccess { document { id } } } }
"""
SECTION = """
mutation ($d: ID!) {
  createSection(docId: $d, section: {title: "A"}) { ... on CreateSectionSuccess { section { id } } }
}
"""
ENSURE = "mutation ($d: ID!, $s: ID!) { ensureSectionChat(docId: $d, sectionId: $s) { __typename } }"
FOLLOW = "subscription ($d: ID!) { sectionChatOpened(docId: $d) { chat { section { id } } } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path_factory.mktemp('nginx')}/marginalia.db"
    with TemporaryDirectory(prefix="marginalia-") as folder:
        settings = {**signed_in.SETTINGS, "allowed_hosts": NAME, "trusted_proxies": "unix"}
        with running_process(url, "--uds", f"{folder}/m.sock", "--workers", "2", **settings) as running:
            yield running


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[Nginx]:
    (line,) = [line for line in server.output.splitlines() if line.startswith("Socket")]
    with nginx.running(Path(line.split()[1])) as running:
        yield running


@pytest.fixture
async def http(proxy: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(verify=proxy.trust, local_address=CLIENT)
    headers = {**signed_in.HEADERS, "Host": proxy.host}
    base_url = f"https://127.0.0.1:{proxy.port}"
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers, timeout=60) as client:
        yield client


async def run(http: httpx.AsyncClient, query: str, **variables: str) -> Any:
    answer = await http.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def document_with_section(http: httpx.AsyncClient) -> tuple[str, str]:
    document = (await run(http, CREATE))["createDocument"]["document"]["id"]
    return document, (await run(http, SECTION, d=document))["createSection"]["section"]["id"]


def operations(server: Server, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in lines if line.get("operation") == name]


async def test_queries_come_through_with_the_address_of_the_client_and_spoofed_headers_do_not(
    server: Server, proxy: Nginx, http: httpx.AsyncClient
) -> None:
    body = {"query": "query Spoofed { __typename }", "operationName": "Spoofed"}
    answer = await http.post("/graphql", json=body, headers=SPOOFED)

    assert answer.json() == {"data": {"__typename": "Query"}}
    assert answer.headers["strict-transport-security"]
    (line,) = operations(server, "Spoofed")
    assert line["client"] == CLIENT
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["request_id"] in proxy.log, "the id leads from one log to the other"


async def test_another_host_is_refused_by_the_server(http: httpx.AsyncClient) -> None:
    answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Host": "evil.example"})

    assert (answer.status_code, NAME in answer.text) == (400, True)


async def test_the_query_of_a_url_is_not_logged(proxy: Nginx, http: httpx.AsyncClient) -> None:
    answer = await http.get("/graphql", params={"query": "{ __typename Xanthippe: __typename }"})

    assert answer.status_code == 200
    assert "Xanthippe" not in proxy.log


async def test_metrics_are_not_for_the_world(http: httpx.AsyncClient) -> None:
    for path in ("/metrics", "/metrics/", "/%6Detrics", "/metrics?x"):
        assert (await http.get(path)).status_code == 404
    assert (await http.get("/readyz")).status_code == 200


async def test_http_leads_to_https_and_the_explorer_is_served(proxy: Nginx, http: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient() as plain:
        led = await plain.get(f"http://127.0.0.1:{proxy.plain_port}/graphiql", headers={"Host": NAME})
    assert (led.status_code, led.headers["location"]) == (308, f"https://{NAME}/graphiql")
    page = (await http.get("/graphiql")).text
    (script,) = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert (await http.get(f"/{script}")).status_code == 200


@asynccontextmanager
async def opened(proxy: Nginx, origin: str) -> AsyncIterator[Socket]:
    async with connect(
        f"wss://{proxy.host}/graphql",
        host="127.0.0.1",
        port=proxy.port,
        ssl=proxy.trust,
        local_addr=(CLIENT, 0),
        subprotocols=[Subprotocol(PROTOCOL)],
        additional_headers={**signed_in.HEADERS, **SPOOFED},
        origin=origin,  # type: ignore[arg-type] # a NewType of str
    ) as connection:
        socket = Socket(connection)
        await socket.init()
        yield socket


async def test_a_subscription_over_a_socket_gets_events(server: Server, proxy: Nginx, http: httpx.AsyncClient) -> None:
    document, section = await document_with_section(http)
    named = FOLLOW.replace("subscription", "subscription OverSocket")
    async with opened(proxy, f"https://{proxy.host}") as socket:
        await socket.subscribe("s", named, d=document)
        receiving = asyncio.create_task(socket.receive())
        sections = {section}
        while not receiving.done():  # nobody says when a subscription is live: chats are opened until one is told of
            await run(http, ENSURE, d=document, s=section)
            await asyncio.wait([receiving], timeout=0.5)
            section = (await run(http, SECTION, d=document))["createSection"]["section"]["id"]
            sections.add(section)
        told = await receiving
        assert told["payload"]["data"]["sectionChatOpened"]["chat"]["section"]["id"] in sections
    for line in operations(server, "OverSocket"):
        assert line["client"] == CLIENT


async def test_a_page_of_another_origin_may_not_open_a_socket(proxy: Nginx) -> None:
    for origin in ("https://evil.example", f"http://{NAME}", f"https://{NAME}:1"):
        with pytest.raises(InvalidStatus, match="403"):
            async with opened(proxy, origin):
                pass


async def test_server_sent_events_arrive_as_they_happen(http: httpx.AsyncClient) -> None:
    document, section = await document_with_section(http)
    body = {"query": FOLLOW, "variables": {"d": document}}
    accept = {"Accept": "text/event-stream"}
    async with http.stream("POST", "/graphql", json=body, headers=accept, timeout=SECONDS) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == ":", "the stream has begun, though there is no event yet"
        await run(http, ENSURE, d=document, s=section)
        async for line in lines:
            if line.startswith("data:"):
                assert section in line
                break


async def test_a_long_body_comes_through(http: httpx.AsyncClient) -> None:
    text = "é" * 4_000_000
    query = "mutation ($m: String!) { importDocument(markdown: $m) { __typename } }"
    answer = await http.post("/graphql", json={"query": query, "variables": {"m": text}})

    assert answer.status_code == 200, answer.text


def test_the_systemd_unit_is_sound(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("No systemd here.")
    unit = (ROOT / "docs" / "marginalia.service").read_text()
    file = tmp_path / "marginalia.service"
    file.write_text(unit.replace("/opt/marginalia/.venv/bin/python", sys.executable))

    ran = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, "")
