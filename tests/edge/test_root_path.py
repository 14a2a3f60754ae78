"""The root path: a server under a prefix of a proxy, which may keep the prefix or strip it."""

import pytest

from marginalia.settings import Settings
from tests.conftest import Serve
from tests.edge.sockets import socket
from tests.support.processes import running_process

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}


@on_sqlite
@pytest.mark.parametrize("prefix", ["/chat/v1", ""], ids=["kept", "stripped"])
async def test_all_is_served_under_the_prefix_and_without_it(serve: Serve, prefix: str) -> None:
    async with serve(root_path="/chat/v1/") as client:
        http = client.http
        assert (await http.post(f"{prefix}/graphql", json=QUERY)).json() == ANSWER
        for path in ("/livez", "/readyz", "/metrics", "/graphiql"):
            assert (await http.get(prefix + path)).status_code == 200
        page = (await http.get(f"{prefix}/graphiql")).text
        (script,) = [part.split('"')[0] for part in page.split('src="')[1:]]
        assert (await http.get(f"{prefix}/{script}")).headers["content-type"].startswith("text/javascript")
        for path, target in (("/", "graphiql"), ("/graphiql/", "../graphiql")):
            assert (await http.get(prefix + path)).headers["location"] == target
        assert (await http.get("/chat/v1x/graphql")).status_code == 404


@on_sqlite
async def test_the_bare_prefix_leads_into_it(serve: Serve) -> None:
    async with serve(root_path="/chat/v1") as client:
        page = await client.http.get("/chat/v1", follow_redirects=True)
        assert (page.status_code, page.url.path) == (200, "/chat/v1/graphiql")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", ""), ("/", ""), ("/chat", "/chat"), ("/chat/v1/", "/chat/v1"), ("/~a_b.c-d", "/~a_b.c-d")],
)
def test_a_prefix_is_a_path(given: str, expected: str) -> None:
    assert Settings(_env_file=None, root_path=given).root_path == expected


@pytest.mark.parametrize(
    "given", ["chat", "//chat", "/a//b", "/a b", "/a/../b", "/.", "https://a.example", "/ä", "/a?b"]
)
def test_what_is_no_prefix_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is not a path prefix"):
        Settings(_env_file=None, root_path=given)


@pytest.mark.slow
async def test_the_printed_addresses_have_the_prefix_and_sockets_work_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('root')}/marginalia.db"
    with running_process(url, "--root-path", "/chat") as server:
        assert server.address.endswith("/chat")
        for address in (server.address, server.address.removesuffix("/chat")):
            async with socket(address) as opened:
                assert await opened.result("a", QUERY["query"]) == ANSWER
