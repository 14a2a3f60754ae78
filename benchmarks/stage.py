"""The stage: a PostgreSQL with documents in it, and servers that are asked for the chat of one section."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks.load import Target, WrongAnswer
from tests.api import operations
from tests.support import postgres, processes
from tests.support.client import Client

ENSURE = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on ChatSession {
      id ensured createdAt messageCount
      section { id title level }
      document { id title }
    }
  }
}
"""

SECTIONS = 50
"""How many sections each document has."""

ASKED = 16
"""For how many of them a chat is asked: each connection has its own, as people do."""


@dataclass(frozen=True)
class Stage:
    """A database, and the sections of a document in it whose chats have been opened."""

    database_url: str
    document_id: str
    section_ids: list[str]

    @property
    def ids(self) -> list[dict[str, str]]:
        """The arguments of each ensure."""
        return [{"docId": self.document_id, "sectionId": section} for section in self.section_ids]

    @property
    def operations(self) -> list[str]:
        """The bodies of the requests in GraphQL."""
        return [json.dumps({"query": ENSURE, "variables": ids, "operationName": "Ensure"}) for ids in self.ids]

    @contextmanager
    def marginalia(self) -> Iterator[Target]:
        """Serve by our own command, and log as it does by default."""
        with processes.running_server(self.database_url) as address:
            yield target("marginalia", address, self.operations)

    @contextmanager
    def bare(self) -> Iterator[Target]:
        """Serve by the handler without GraphQL."""
        with self._other("benchmarks.bare") as address:
            yield target("bare", address, [json.dumps(ids) for ids in self.ids])

    @contextmanager
    def plain(self) -> Iterator[Target]:
        """Serve by Strawberry without further thought."""
        with self._other("benchmarks.plain") as address:
            yield target("plain", address, self.operations)

    @contextmanager
    def _other(self, module: str) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks.serve", f"{module}:from_environment"]
        with processes.running(command, processes.environment(database_url=self.database_url)) as server:
            yield server.address


@contextmanager
def staged(server_url: str, documents: int = 20) -> Iterator[Stage]:
    """Make a database on a PostgreSQL server, put documents into it, and open the chat.

    There are enough documents by default for the database to use its indexes.
    """
    with postgres.database(server_url) as url:
        migrated = processes.run("migrate", "--database", url)
        if migrated.returncode:
            raise RuntimeError(migrated.stderr)
        with processes.running_server(url) as address:
            document, sections = asyncio.run(_fill(address, documents))
        # Otherwise the database might find out by itself, in the middle of a round, and choose other plans.
        postgres.execute(url, "ANALYZE")
        yield Stage(url, document, sections)


def target(name: str, address: str, bodies: list[str]) -> Target:
    """Ask for each once, and take that answer for the one that all others must be."""
    headers = {"Content-Type": "application/json"}
    with httpx.Client(headers=headers) as http:
        answers = [http.post(f"{address}/graphql", content=body).raise_for_status().text for body in bodies]
    url = urlsplit(address)
    return Target(name, str(url.hostname), int(url.port or 80), list(zip(bodies, answers, strict=True)))


def agree(*targets: Target) -> None:
    """Insist that all targets give the same answer, and the right one. Raises `WrongAnswer`."""
    first, *others = ([json.loads(answer) for _body, answer in each.exchanges] for each in targets)
    if any(answer["data"]["ensureSectionChat"]["ensured"] != "FOUND" for answer in first):
        raise WrongAnswer(f"{targets[0].name} answers {first}")
    for each, answer in zip(targets[1:], others, strict=True):
        if answer != first:
            raise WrongAnswer(f"{each.name} answers {answer}, and {targets[0].name} {first}")


async def _fill(address: str, count: int) -> tuple[str, list[str]]:
    text = "A paragraph that somebody has written, and somebody else has a question about. " * 10
    markdown = "\n\n".join(f"## Section {number}\n\n{text}" for number in range(SECTIONS))
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        client = Client(http)
        documents = [await operations.import_document(client, f"# Title\n\n{markdown}") for _ in range(count)]
        document = documents[count // 2]
        sections = (await operations.section_ids(client, document))[1 : 1 + ASKED]
        for section in sections:
            await operations.ensure_chat(client, document, section)
    return document, sections
