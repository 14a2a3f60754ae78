"""The setup of the benchmarks: a PostgreSQL database with documents, and the servers to measure."""

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
"""The number of sections in a document."""

ASKED = 16
"""The number of sections whose chats are requested: each connection has its own, like people do."""


@dataclass(frozen=True)
class Setup:
    """A database, with a document and those of its sections whose chats are open."""

    database_url: str
    document_id: str
    section_ids: list[str]

    @property
    def ids(self) -> list[dict[str, str]]:
        """The arguments of each request."""
        return [{"docId": self.document_id, "sectionId": section} for section in self.section_ids]

    @property
    def operations(self) -> list[str]:
        """The bodies of the GraphQL requests."""
        return [json.dumps({"query": ENSURE, "variables": ids, "operationName": "Ensure"}) for ids in self.ids]

    @contextmanager
    def marginalia(self) -> Iterator[Target]:
        """Run our server, with its default logging."""
        with processes.running_server(self.database_url) as address:
            yield target("marginalia", address, self.operations)

    @contextmanager
    def handwritten(self) -> Iterator[Target]:
        """Run the handwritten HTTP baseline."""
        with self._other("benchmarks.baseline_http") as address:
            yield target("handwritten", address, [json.dumps(ids) for ids in self.ids])

    @contextmanager
    def strawberry(self) -> Iterator[Target]:
        """Run the Strawberry baseline."""
        with self._other("benchmarks.baseline_strawberry") as address:
            yield target("strawberry", address, self.operations)

    @contextmanager
    def _other(self, module: str) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks.serve", f"{module}:from_environment"]
        with processes.running(command, processes.environment(database_url=self.database_url)) as server:
            yield server.address


@contextmanager
def prepared(server_url: str, documents: int = 20) -> Iterator[Setup]:
    """Create a database on a PostgreSQL server, import documents, and open the chats.

    By default there are enough documents for the planner to use the indexes.
    """
    with postgres.database(server_url) as url:
        migrated = processes.run("migrate", "--database", url)
        if migrated.returncode:
            raise RuntimeError(migrated.stderr)
        with processes.running_server(url) as address:
            document, sections = asyncio.run(_fill(address, documents))
        # Otherwise autovacuum might analyse the tables in the middle of a round, and change the plans.
        postgres.execute(url, "ANALYZE")
        yield Setup(url, document, sections)


def target(name: str, address: str, bodies: list[str]) -> Target:
    """Send each request once. Its answer is the expected one from then on."""
    headers = {"Content-Type": "application/json"}
    with httpx.Client(headers=headers) as http:
        answers = [http.post(f"{address}/graphql", content=body).raise_for_status().text for body in bodies]
    url = urlsplit(address)
    return Target(name, str(url.hostname), int(url.port or 80), list(zip(bodies, answers, strict=True)))


def agree(*targets: Target) -> None:
    """Check that all targets give the same, correct answers. Raises `WrongAnswer`."""
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
