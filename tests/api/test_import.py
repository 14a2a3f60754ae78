"""Importing Markdown: a document with one section for each heading, and the way back."""

from typing import Any

from sqlalchemy import func, select

from db.database import Database
from db.models import Document, Placement, Section
from tests.api.operations import (
    DOCUMENT,
    IMPORT_DOCUMENT,
    create_document,
    create_section,
    headings,
    import_document,
    section_edges,
)
from tests.support.client import Client

SEVERAL = """Before the first heading.

# One

Text with *emphasis*,
and an <em>element</em>.

```
# no heading
```

Two
---

> # no heading

- # no heading

###### Six

"""


async def sections(client: Client, document_id: str) -> list[tuple[Any, ...]]:
    edges = await section_edges(client, document_id)
    return [(edge["node"]["title"], edge["node"]["level"], edge["node"]["content"]) for edge in edges]


async def rows(database: Database) -> list[int]:
    async with database.read() as session:
        return [
            await session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Document, Section, Placement)
        ]


async def test_each_heading_becomes_a_section(client: Client) -> None:
    document = await import_document(client, SEVERAL)
    assert await sections(client, document) == [
        ("", 1, "Before the first heading."),
        ("One", 1, "Text with *emphasis*,\nand an <em>element</em>.\n\n```\n# no heading\n```"),
        ("Two", 2, "> # no heading\n\n- # no heading"),
        ("Six", 6, ""),
    ]


async def test_an_import_reads_back_as_it_was_stored(client: Client) -> None:
    imported = (await client(IMPORT_DOCUMENT, markdown="# One\n", title=" Mine ", id="doc_mine"))["importDocument"]
    assert imported.pop("__typename") == "Document"
    assert (imported["id"], imported["title"], imported["description"]) == ("doc_mine", "Mine", None)
    assert (await client(DOCUMENT, id="doc_mine"))["document"] == {**imported, "markdown": "# One\n"}


async def test_a_document_is_called_like_its_first_heading(client: Client) -> None:
    titles = {
        "# One\n\n# Two\n": "One",
        "Text.\n\n## Two\n\n# One\n": "Two",
        "#\n\n# Two\n": "Two",
        "A heading\nof two lines\n===\n": "A heading of two lines",
        "# Some *emphasis*\n": "Some *emphasis*",
        "# \u00a0\u3000\n": "Untitled",
        "Text.\n": "Untitled",
        "": "Untitled",
    }
    for markdown, title in titles.items():
        imported = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]
        assert imported["title"] == title, markdown


async def test_a_document_may_be_imported_empty(client: Client) -> None:
    document = await import_document(client, "\n\n")
    assert await sections(client, document) == []
    assert (await client(DOCUMENT, id=document))["document"]["markdown"] == ""


async def test_a_thousand_sections_are_one_import(client: Client) -> None:
    document = await import_document(client, headings(1_000))
    first = (await client(SECTIONS_FROM, docId=document, after=None))["document"]["sections"]
    second = (await client(SECTIONS_FROM, docId=document, after=first["pageInfo"]["endCursor"]))["document"]["sections"]
    assert not second["pageInfo"]["hasNextPage"]
    titles = [edge["node"]["title"] for edge in first["edges"] + second["edges"]]
    assert titles == [f"Section {number}" for number in range(1, 1_001)]
    assert (await client(DOCUMENT, id=document))["document"]["markdown"] == headings(1_000).rstrip("\n") + "\n"


async def test_nothing_is_left_of_an_import_whose_id_is_taken(client: Client, database: Database) -> None:
    await create_document(client, id="doc_mine")
    refused = (await client(IMPORT_DOCUMENT, markdown=headings(20), id="doc_mine"))["importDocument"]
    assert refused["__typename"] == "IdTaken"
    assert await rows(database) == [1, 0, 0]


async def test_an_import_past_a_published_limit_leaves_nothing(client: Client, database: Database) -> None:
    reasons = {
        "x" * 4_000_001: "is longer than 4,000,000 characters",
        "# x\n" * 10_001: "makes more than 10,000 sections",
        f"# One\n\n# {'x' * 1_001}": "has a heading longer than 1,000 characters in section 2",
        f"# One\n\n{'x' * 1_000_001}": "has more than 1,000,000 characters in section 1",
        "a\0b": "holds a NUL character or half of a surrogate pair",
    }
    for markdown, reason in reasons.items():
        refused = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]
        assert (refused["__typename"], refused.get("argument")) == ("InvalidInput", "markdown"), reason
        assert refused["reason"] == reason
    assert await rows(database) == [0, 0, 0]


async def test_an_import_at_a_published_limit_is_accepted(client: Client) -> None:
    document = await import_document(client, f"# {'x' * 1_000}\n\n{'y' * 1_000_000}\n")
    assert await sections(client, document) == [("x" * 1_000, 1, "y" * 1_000_000)]


async def test_an_exported_document_gives_equal_sections_when_imported_again(client: Client) -> None:
    document = await import_document(client, SEVERAL)
    exported = (await client(DOCUMENT, id=document))["document"]["markdown"]
    again = await import_document(client, exported)
    assert await sections(client, again) == await sections(client, document)
    assert (await client(DOCUMENT, id=again))["document"]["markdown"] == exported


async def test_an_export_holds_what_was_added_since(client: Client) -> None:
    document = await import_document(client, "# One\n\nText.\n")
    await create_section(client, document, title="Two", level=2, content="More *text*.")
    await create_section(client, document, title="Three", level=3)
    markdown = (await client(DOCUMENT, id=document))["document"]["markdown"]
    assert markdown == "# One\n\nText.\n\n## Two\n\nMore *text*.\n\n### Three\n"


async def test_sections_have_ids_and_times_of_their_own(client: Client) -> None:
    document = await import_document(client, headings(3))
    edges = await section_edges(client, document)
    assert len({edge["node"]["id"] for edge in edges}) == 3
    assert all(edge["node"]["id"].startswith("sec_") for edge in edges)
    assert [edge["isCopy"] for edge in edges] == [False] * 3


SECTIONS_FROM = """
query ($docId: ID!, $after: String) {
  document(id: $docId) {
    sections(first: 500, after: $after) { edges { node { title } } pageInfo { hasNextPage endCursor } }
  }
}
"""
