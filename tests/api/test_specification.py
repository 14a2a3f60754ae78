"""A real text: the GraphQL specification goes in as thirteen documents, comes out, and goes in again."""

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.api.operations import IMPORT_DOCUMENT
from tests.support.client import Client

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "graphql-spec"
FILES = 13

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the GraphQL specification is not at {FOLDER}; it is no part of this repository"
)

EXPORT = """
query ($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on Document {
      markdown
      sections(first: 500) { edges { node { id title level content } } pageInfo { hasNextPage } }
    }
  }
}
"""


async def imported(client: Client, texts: list[str]) -> list[str]:
    answers = [(await client(IMPORT_DOCUMENT, markdown=text))["importDocument"] for text in texts]
    assert [answer["__typename"] for answer in answers] == ["ImportDocumentSuccess"] * len(texts)
    return [answer["document"]["id"] for answer in answers]


async def exported(client: Client, documents: list[str]) -> list[dict[str, Any]]:
    # A few at a time: with as many sections as there can be, all of them would cost more than one operation may.
    found: list[dict[str, Any]] = []
    for start in range(0, len(documents), 5):
        found += (await client(EXPORT, ids=documents[start : start + 5]))["nodes"]
    assert not any(document["sections"]["pageInfo"]["hasNextPage"] for document in found)
    return found


def sections(document: dict[str, Any]) -> list[tuple[str, int, str]]:
    edges = document["sections"]["edges"]
    return [(edge["node"]["title"], edge["node"]["level"], edge["node"]["content"]) for edge in edges]


async def test_the_graphql_specification_comes_back_as_it_went_in(client: Client) -> None:
    # As bytes: reading as text would turn every line ending into \n.
    originals = [file.read_bytes().decode() for file in sorted(FOLDER.glob("*.md"))]
    assert len(originals) == FILES
    first = await exported(client, await imported(client, originals))
    second = await exported(client, await imported(client, [document["markdown"] for document in first]))

    commonmark = MarkdownIt("commonmark")
    for original, document, again in zip(originals, first, second, strict=True):
        assert sections(document) == sections(again)
        assert commonmark.render(document["markdown"]) == commonmark.render(original)
        assert again["markdown"] == document["markdown"]

    # The one measure that is not ours: each heading that renders outside lists and quotes is a section.
    headings = [
        sum(token.type == "heading_open" and token.level == 0 for token in commonmark.parse(text)) for text in originals
    ]
    assert [sum(1 for title, _, _ in sections(document) if title) for document in first] == headings
    ids = [edge["node"]["id"] for document in first for edge in document["sections"]["edges"]]
    assert len(set(ids)) == len(ids) >= sum(headings)
