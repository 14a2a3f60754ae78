"""Importing Markdown: a document with one section for each heading, and the way back."""

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from db.connection.database import Database
from db.models import Document, Placement, Section
from services import limits
from services.documents import imports
from services.exports import exports
from services.markdown_parser import Budget
from tests.api.operations import (
    DOCUMENT,
    IMPORT_DOCUMENT,
    PLACE_SECTION,
    REMOVE_SECTION,
    arguments,
    create_document,
    create_section,
    headings,
    import_document,
    section_edges,
    section_ids,
)
from tests.conftest import Serve
from tests.support.client import Client
from tests.support.invariants import violations

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
    answer = await client(IMPORT_DOCUMENT, markdown="# One\n", title=" Mine ", id="doc_mine")
    imported = answer["importDocument"]["document"]
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
        imported = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]["document"]
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


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it is not asked
async def test_an_import_past_a_published_limit_leaves_nothing(client: Client, database: Database) -> None:
    reasons = {
        "x" * 4_000_001: "is longer than 4,000,000 characters",
        "# x\n" * 10_001: "makes more than 10,000 sections",
        "\n" * 200_001: "has more than 200,000 lines",
        "- a\n" * 100_000: "has more than 200,000 blocks (paragraphs, items of lists, quotes ...)",
        f"# One\n\n# {'x' * 1_000_001}": "has a heading of more than 1,000,000 characters in section 2, at line 3",
        f"# One\n\n# Two\n\n{'x' * 1_000_001}": "has more than 1,000,000 characters in section 2, at line 3",
        f"---\na: {'x' * 1_000_001}\n---\n": "has more than 1,000,000 characters in section 1, at line 1",
        "a\0b": "holds a NUL character or half of a surrogate pair in line 1",
        "a\r\nb\rc\n\ud800": "holds a NUL character or half of a surrogate pair in line 4",
    }
    for markdown, reason in reasons.items():
        refused = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]
        assert (refused["__typename"], arguments(refused)) == ("InvalidInput", ["markdown"]), reason
        assert refused["violations"][0]["message"] == reason
    assert await rows(database) == [0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
async def test_an_import_at_a_published_limit_is_accepted(client: Client) -> None:
    document = await import_document(client, f"# {'x' * 1_000_000}\n\n{'y' * 1_000_000}\n")
    assert await sections(client, document) == [("x" * 1_000_000, 1, "y" * 1_000_000)]
    await import_document(client, "\n" * 200_000)
    await import_document(client, "- a\n" * 99_999)


@pytest.mark.parametrize("heading", ["# {}", "{}\n==="])
async def test_a_heading_longer_than_a_title_is_imported_whole(client: Client, heading: str) -> None:
    title = "word " * 300 + "end"
    markdown = heading.format(title) + "\n\nText.\n"
    imported = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]["document"]
    assert imported["title"] == ("word " * 200)[:999].rstrip() + "\u2026"
    assert await sections(client, imported["id"]) == [(title, 1, "Text.")]
    assert (await client(DOCUMENT, id=imported["id"]))["document"]["markdown"] == f"# {title}\n\nText.\n"


FRONT_MATTER = """---
title: A
tags:
  - "# no heading"
---

# B
"""


async def test_front_matter_is_an_untitled_first_section_and_comes_back(client: Client) -> None:
    imported = (await client(IMPORT_DOCUMENT, markdown=FRONT_MATTER))["importDocument"]["document"]
    assert imported["title"] == "A"
    front = FRONT_MATTER.removesuffix("\n\n# B\n")
    assert await sections(client, imported["id"]) == [("", 1, front), ("B", 1, "")]
    assert (await client(DOCUMENT, id=imported["id"]))["document"]["markdown"] == FRONT_MATTER


async def test_a_document_is_called_as_its_front_matter_says_or_else_like_its_first_heading(client: Client) -> None:
    titles = {
        "---\ntitle: A\n---\n# B\n": "A",
        f"---\ntitle: {'x' * 1_001}\n---\n# B\n": "x" * 999 + "\u2026",
        '---\ntitle: "a\\0b"\n---\n# B\n': "B",
        '---\ntitle: "a\\ud800b"\n---\n# B\n': "B",
        "---\nauthor: A\n---\n# B\n": "B",
        "---\ntitle:\n---\n": "Untitled",
        "+++\ntitle = 'A'\n+++\n# B\n": "A",
        "---\n\ntitle\n\n---\n# B\n": "B",
    }
    for markdown, title in titles.items():
        imported = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]["document"]
        assert imported["title"] == title, markdown
    named = (await client(IMPORT_DOCUMENT, markdown="---\ntitle: A\n---\n", title="Mine"))["importDocument"]
    assert named["document"]["title"] == "Mine"


async def test_while_many_imports_wait_more_are_told_to_come_again(client: Client, database: Database) -> None:
    go_on = threading.Event()
    busy = asyncio.create_task(imports.run(limits.PENDING_IMPORT_LENGTH, Budget(), go_on.wait))
    await asyncio.sleep(0)
    refused = (await client(IMPORT_DOCUMENT, markdown="# One\n"))["importDocument"]
    assert refused["code"] == "TEMPORARILY_UNAVAILABLE"
    assert await rows(database) == [0, 0, 0]
    go_on.set()
    await busy
    await import_document(client, "# One\n")


# Each line is looked at again at each of the levels: minutes of work.
DEEP_QUOTES = "".join(f"{'> ' * (90 - level % 90)}a\n" for level in range(10_000))


@pytest.mark.slow
async def test_an_import_that_takes_too_long_leaves_its_thread_free(
    serve: Serve, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IMPORT_SECONDS", None)
    async with serve(mutation_seconds=0.5) as client:
        answer = await client.result(IMPORT_DOCUMENT, markdown=DEEP_QUOTES)
    assert answer["errors"][0]["extensions"]["code"] == "TIMEOUT"
    assert await imports.run(1, Budget(), lambda: "free") == "free"
    assert await rows(database) == [0, 0, 0]


@pytest.mark.slow
async def test_an_export_that_takes_too_long_leaves_its_thread_free(serve: Serve) -> None:
    async with serve(query_seconds=0.5) as client:
        document = await create_document(client)
        await create_section(client, document, content=DEEP_QUOTES + "\n```")
        await create_section(client, document)
        answer = await client.result(DOCUMENT, id=document)
        assert answer["errors"][0]["extensions"] == {"code": "TIMEOUT"}
        assert await exports.run(1, Budget(), lambda: "free") == "free"


async def test_an_exported_document_gives_equal_sections_when_imported_again(client: Client) -> None:
    document = await import_document(client, SEVERAL)
    exported = (await client(DOCUMENT, id=document))["document"]["markdown"]
    again = await import_document(client, exported)
    assert await sections(client, again) == await sections(client, document)
    assert (await client(DOCUMENT, id=again))["document"]["markdown"] == exported


async def test_a_section_placed_in_another_document_keeps_the_targets_of_its_links(
    client: Client, database: Database
) -> None:
    origin = await import_document(client, "# One\n\n[a] and [b].\n\n# Links\n\n[a]: /one\n[b]: /one/b\n")
    other = await import_document(client, "# Other\n\n[a]\n\n[a]: /two\n")
    section, _ = await section_ids(client, origin)
    placed = (await client(PLACE_SECTION, docId=other, sectionId=section))["placeSection"]
    assert placed["__typename"] == "PlaceSectionSuccess"
    kept = "# Other\n\n[a]\n\n[a]: /two\n\n# One\n\n[a-2]: </one>\n[b]: </one/b>\n\n[a][a-2] and [b].\n"
    assert (await client(DOCUMENT, id=other))["document"]["markdown"] == kept
    # What it needs has come with it, whatever becomes of the document that it was imported with.
    await client(REMOVE_SECTION, docId=origin, sectionId=section)
    assert (await client(DOCUMENT, id=other))["document"]["markdown"] == kept
    # And there nothing was added.
    await client(PLACE_SECTION, docId=origin, sectionId=section)
    assert (await client(DOCUMENT, id=origin))["document"]["markdown"] == (
        "# Links\n\n[a]: /one\n[b]: /one/b\n\n# One\n\n[a] and [b].\n"
    )
    assert await violations(database) == []


async def test_link_definitions_that_many_sections_use_are_bounded(client: Client, database: Database) -> None:
    markdown = "# One\n\n[a]\n\n" * 41 + f"# Links\n\n[a]: /{'x' * 100_000}\n"
    refused = (await client(IMPORT_DOCUMENT, markdown=markdown))["importDocument"]
    (violation,) = refused["violations"]
    assert violation == {
        "path": ["markdown"],
        "message": "uses link definitions of more than 4,000,000 characters in other sections",
    }
    assert await rows(database) == [0, 0, 0]


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


SECTIONS_FROM = """
query ($docId: ID!, $after: String) {
  document(id: $docId) {
    sections(first: 500, after: $after) { edges { node { title } } pageInfo { hasNextPage endCursor } }
  }
}
"""
