"""Trusted documents: operations by their ids, and which ones are run at all."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.persisted_operations import REGISTERED_CHARACTERS, BadManifest, PersistedOperations
from engine.prepared_operation import Refused
from engine.request import GraphQLRequest
from marginalia.manifest import read_manifest
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support.client import Served
from tests.support.counting import counted
from tests.support.processes import ROOT, environment, run

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TRUSTED = "query Trusted($first: Int) { documents(first: $first) { edges { node { id } } } }"
OTHER = "query Other { documents { edges { node { title } } } }"
EMPTY: dict[str, Any] = {"documents": {"edges": []}}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def persisted(text: str, **changes: object) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)} | changes}


MANIFESTS: dict[str, Any] = {
    "graphql-codegen": {sha256(TRUSTED): TRUSTED},
    "graphql-codegen with a prefix": {f"sha256:{sha256(TRUSTED)}": TRUSTED},
    "relay-compiler": {md5(TRUSTED): TRUSTED},
    "apollo": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": sha256(TRUSTED), "name": "Trusted", "type": "query", "body": TRUSTED}],
    },
}


@pytest.fixture(params=MANIFESTS)
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Write a manifest, and return it with an id that it has."""
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(MANIFESTS[request.param]))
    return file, next(iter(read_manifest(file)))


async def ask(client: Served, **body: object) -> Any:
    response = await client.post(body)
    assert response.status_code == 200, response.text
    return response.json()


def code(answer: Any) -> str:
    (error,) = answer["errors"]
    assert "data" not in answer
    return str(error["extensions"]["code"])


@on_sqlite
@pytest.mark.parametrize("trust", ["open", "prefer", "only"])
async def test_a_document_of_the_manifest_is_run_by_its_id(
    serve: Serve, manifest: tuple[Path, str], trust: str
) -> None:
    file, name = manifest
    async with serve(trusted_documents=file, trust=trust) as client:
        for given in {name, sha256(TRUSTED), f"sha256:{sha256(TRUSTED)}"} if sha256(TRUSTED) in name else {name}:
            assert await ask(client, documentId=given, variables={"first": 1}) == {"data": EMPTY}
        assert await ask(client, documentId=name, query=TRUSTED) == {"data": EMPTY}
        assert client.operations.misses == 1
        headers = {"GraphQL-Require-Preflight": "1"}
        response = await client.http.get("/graphql", params={"documentId": name}, headers=headers)
        assert response.json() == {"data": EMPTY}


@on_sqlite
async def test_an_id_that_names_nothing_is_not_found(client: Served) -> None:
    for name in ("nothing", sha256(OTHER), " ", "sha256:"):
        assert code(await ask(client, documentId=name)) == "PERSISTED_DOCUMENT_NOT_FOUND"
    assert code(await ask(client, documentId=sha256(OTHER), query=TRUSTED)) == "PERSISTED_DOCUMENT_NOT_FOUND"
    assert await ask(client, documentId=sha256(OTHER), query=OTHER) == {"data": EMPTY}


@on_sqlite
async def test_a_text_and_an_id_must_mean_the_same(serve: Serve, manifest: tuple[Path, str]) -> None:
    file, name = manifest
    async with serve(trusted_documents=file) as client:
        assert code(await ask(client, documentId=name, query=OTHER)) == "BAD_REQUEST"


@on_sqlite
async def test_a_client_registers_a_text_and_sends_its_hash_from_then_on(client: Served) -> None:
    assert code(await ask(client, extensions=persisted(OTHER))) == "PERSISTED_QUERY_NOT_FOUND"
    assert await ask(client, query=OTHER, extensions=persisted(OTHER)) == {"data": EMPTY}
    assert await ask(client, extensions=persisted(OTHER)) == {"data": EMPTY}
    assert await ask(client, documentId=f"sha256:{sha256(OTHER)}") == {"data": EMPTY}
    assert client.operations.misses == 1


@on_sqlite
@pytest.mark.parametrize(
    "extensions",
    [
        persisted(OTHER, version=2),
        persisted(OTHER, version="1"),
        persisted(OTHER, sha256Hash="abc"),
        persisted(OTHER, sha256Hash=5),
        persisted(TRUSTED),
        {"persistedQuery": 5},
        {"persistedQuery": {}},
        {"persistedQuery": []},
    ],
)
async def test_a_hash_that_is_none_or_another_is_refused(client: Served, extensions: dict[str, Any]) -> None:
    assert code(await ask(client, query=OTHER, extensions=extensions)) == "BAD_REQUEST"


@on_sqlite
async def test_where_only_the_manifest_is_trusted_nothing_else_is_run(serve: Serve, manifest: tuple[Path, str]) -> None:
    file, name = manifest
    async with serve(trusted_documents=file, trust="only") as client:
        with counted(client.database) as statements:
            assert code(await ask(client, query=OTHER)) == "DOCUMENT_NOT_TRUSTED"
            assert code(await ask(client, query=OTHER, extensions=persisted(OTHER))) == "DOCUMENT_NOT_TRUSTED"
            assert code(await ask(client, query=TRUSTED + " ")) == "DOCUMENT_NOT_TRUSTED"
            assert code(await ask(client, query=TRUSTED)) == "DOCUMENT_NOT_TRUSTED", "its text is not its id"
            assert code(await ask(client, query=OTHER, documentId=sha256(OTHER))) == "DOCUMENT_NOT_TRUSTED"
            assert code(await ask(client, extensions=persisted(OTHER))) == "PERSISTED_QUERY_NOT_SUPPORTED"
        assert statements == []
        assert await ask(client, query=TRUSTED, documentId=name) == {"data": EMPTY}


@on_sqlite
async def test_where_the_manifest_is_preferred_others_are_run_and_noted(
    serve: Serve, manifest: tuple[Path, str], log: Log
) -> None:
    file, _ = manifest
    async with serve(trusted_documents=file, trust="prefer") as client:
        assert await ask(client, query=TRUSTED) == {"data": EMPTY}
        assert log.of("document not trusted") == []
        assert await ask(client, query=OTHER, extensions=persisted(OTHER)) == {"data": EMPTY}
        assert code(await ask(client, extensions=persisted(OTHER))) == "PERSISTED_QUERY_NOT_SUPPORTED"
    (line,) = log.of("document not trusted")
    assert (line["level"], line["sha256"]) == ("warning", sha256(OTHER))


def test_what_clients_register_has_a_bound() -> None:
    documents = PersistedOperations()
    texts = [f"# {number}\n" + " " * 100_000 for number in range(REGISTERED_CHARACTERS // 100_000 + 1)]
    for text in texts:
        call = GraphQLRequest(text, extensions=persisted(text))
        assert documents.text(call) == text
        documents.remember(call)
    assert documents.text(GraphQLRequest(extensions=persisted(texts[-1]))) == texts[-1]
    with pytest.raises(Refused, match="NotFound"):
        documents.text(GraphQLRequest(extensions=persisted(texts[0])))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "5",
        '{"a": 5}',
        '{"a": ""}',
        '{"format": "apollo-persisted-query-manifest", "operations": [{"id": "a"}]}',
        '{"format": "apollo-persisted-query-manifest", "operations": [5]}',
        "\ud800",
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_manifest_is_one_line_for_who_starts_the_server(tmp_path: Path, content: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadManifest) as refused:
        read_manifest(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_manifest_is_utf_8_whatever_the_locale(tmp_path: Path, mark: bytes) -> None:
    file = tmp_path / "manifest.json"
    file.write_bytes(mark + json.dumps({"a": '{ node(id: "日") { id } }'}, ensure_ascii=False).encode())
    script = (
        f"import pathlib, marginalia.manifest as t; print(ascii(t.read_manifest(pathlib.Path({str(file)!r}))['a']))"
    )
    env = environment() | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert ended.stdout.strip() == ascii('{ node(id: "日") { id } }'), ended.stderr


@pytest.mark.parametrize("trust", ["only", "prefer"])
def test_to_go_by_a_manifest_that_is_not_named_is_refused(trust: str) -> None:
    ended = run("serve", "--port", "0", env=environment(trust=trust, trusted_documents=""))

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "MARGINALIA_TRUSTED_DOCUMENTS" in line


def test_serve_says_so_and_ends(tmp_path: Path) -> None:
    ended = run("serve", "--port", "0", env=environment(trusted_documents=tmp_path / "none.json"))
    assert ended.returncode == 2
    assert ended.stderr.startswith("marginalia: The manifest ")
    assert "none.json cannot be read: No such file or directory." in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
