"""The workloads: the operations that are measured, with the requests of a round."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.data import LARGE, MESSAGES, SCRATCH, SCRATCH_SIZE, SIZES, SMALL, chat_id, document_id, section_id

ENSURE = """
mutation Ensure($docId: ID!, $sectionId: ID!) {
  ensureSectionChat(docId: $docId, sectionId: $sectionId) {
    __typename
    ... on ChatSession { id section { id title } document { id title } }
    ... on Error { code message }
  }
}
"""

DOCUMENT = """
query Document($id: ID!, $first: Int!) {
  document(id: $id) {
    id
    title
    sections(first: $first) {
      edges { node { id title level chat { id messageCount } } }
      pageInfo { hasNextPage }
    }
  }
}
"""

CHAT = """
query Chat($id: ID!, $first: Int!) {
  chatSession(id: $id) {
    id
    messageCount
    messages(first: $first) {
      edges { node { id seq role content createdAt author { id name } } }
      pageInfo { hasNextPage }
    }
  }
}
"""

OPENED = """
subscription Opened($docId: ID!) {
  sectionChatOpened(docId: $docId) { chat { id section { id title } document { id title } } }
}
"""

TEXTS = 6_000
"""The number of new texts in a round; no server gets a text twice."""


@dataclass(frozen=True)
class Request:
    """The body of a request."""

    body: str
    repeated: tuple[str, ...] = ()
    """The parts of the body that the answer repeats, where each request of a workload has others."""


@dataclass(frozen=True)
class Workload:
    """An operation, and the requests of a round by the round's number."""

    name: str
    title: str
    requests: Callable[[int], Sequence[Request]]
    once: bool = False
    """Whether a request may be sent only once in a round."""
    opens: bool = False
    """Whether a request opens a chat, whose id is new in every answer."""
    without_graphql: bool = True
    """Whether a handler without GraphQL can serve it."""


def body(text: str, **variables: object) -> str:
    """Return the body of a GraphQL request; its operation has the only name in the text."""
    name = text.split(None, 2)[1].partition("(")[0]
    return json.dumps({"query": text, "variables": variables, "operationName": name})


def ensure(document: int, section: int) -> Request:
    """Return the request for the chat of a section."""
    ids = document_id(document), section_id(document, section)
    return Request(body(ENSURE, docId=ids[0], sectionId=ids[1]), ids)


def document(number: int, first: int) -> Request:
    """Return the request for a document with the chats of its first sections."""
    return Request(body(DOCUMENT, id=document_id(number), first=first))


def _hot(_round: int) -> Sequence[Request]:
    return [ensure(SMALL, number) for number in range(SIZES[SMALL])]


def _first(_round: int) -> Sequence[Request]:
    # Neighbours in time are in different documents, like people.
    return [ensure(document, number) for number in range(SCRATCH_SIZE) for document in SCRATCH]


def _new_texts(number: int) -> Sequence[Request]:
    aliases = [f"document{number:06}" for number in range(number * TEXTS, (number + 1) * TEXTS)]
    return [
        Request(body(DOCUMENT.replace("document(", f"{alias}: document(", 1), id=document_id(SMALL), first=1), (alias,))
        for alias in aliases
    ]


WORKLOADS = {
    each.name: each
    for each in (
        Workload("ensure", "An existing chat of a section, ensured", _hot),
        Workload("create", "The first ensure: a chat is opened", _first, once=True, opens=True),
        Workload("document-20", "A document of 20 sections with chats", lambda _: [document(SMALL, SIZES[SMALL])]),
        Workload("document-200", "A document of 200 sections with chats", lambda _: [document(LARGE, SIZES[LARGE])]),
        Workload(
            "chat",
            f"A chat with {MESSAGES} messages and their authors",
            lambda _: [Request(body(CHAT, id=chat_id(SMALL, 0), first=MESSAGES))],
        ),
        Workload("new-text", "A text that is new to the server", _new_texts, once=True, without_graphql=False),
    )
}
