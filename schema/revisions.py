"""Revisions: the earlier versions of documents and sections, and their differences."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from db import models
from resolvers import revisions as resolvers
from schema.nodes import Connection, Node
from schema.users import User
from schema.view import View, batched_by, enum_of, field
from services import diffs

REVISIONS = (
    "The earlier versions, the latest first; empty unless you may comment. The present version is not among them."
)
REVISION = "The state at a version, which can be the present one; null if there is none, or you may not comment."
DIFF = "What changed between two versions; null if one of them does not exist, or you may not comment."

enum_of(
    models.SectionStatus,
    "The editorial status of a section.",
    {
        models.SectionStatus.DRAFT: "The section is being written.",
        models.SectionStatus.GENERATED: "A machine wrote the section, and nobody has reviewed it.",
        models.SectionStatus.REVIEWED: "The section was reviewed.",
        models.SectionStatus.APPROVED: "The section was approved.",
    },
)


enum_of(
    diffs.Change,
    "What happened to a part of a text.",
    {
        diffs.Change.EQUAL: "Both texts have the part.",
        diffs.Change.DELETED: "Only the former text has the part.",
        diffs.Change.INSERTED: "Only the latter text has the part.",
    },
)


@strawberry.type(description="A part of a text, and what happened to it.")
class DiffPart(View):
    """A part of a diff."""

    represents = diffs.DiffPart

    change: diffs.Change = field("What happened to the part.")
    text: str = field("The part.")


@strawberry.type(description="What changed between two versions, as Markdown with the headings.")
class Diff(View):
    """A diff."""

    represents = diffs.Diff

    unified: str = batched_by(
        resolvers.unified,
        "A unified diff by lines, with three lines around each change; empty if nothing changed.",
        cost=100,
    )
    words: list[DiffPart] = batched_by(
        resolvers.words, "The parts of both texts in order, compared word by word.", cost=100
    )


@strawberry.type(description="The state of a section at one version. It never changes.")
class SectionRevision(View, Node):
    """An earlier or the present state of a section."""

    represents = models.SectionRevision

    version: int = field("The version of the section.")
    heading: str = field("The heading, as inline Markdown; empty without one.", name="title")
    level: int = field("The level of the heading, 1 to 6.")
    content: str = field("The text below the heading, as Markdown.", cost=5)
    status: models.SectionStatus = field("The editorial status of the section.")
    tags: list[str] = field("Labels for grouping, in the order they were given.")
    details: JSON = field("The caller-defined JSON object.", name="metadata")
    section_id: strawberry.ID = field("The id of the section.")
    edited_by: User = batched_by(resolvers.editors, "The user who made this version.", reads=["edited_by"])
    change_summary: str | None = field("Why this version was made; null if nothing was said.")
    is_generated: bool = field("Whether a machine wrote this version.")
    created_at: datetime = field("When this version was made.")


@strawberry.type(description="The state of a document at one version. It never changes.")
class DocumentRevision(View, Node):
    """An earlier or the present state of a document."""

    represents = models.DocumentRevision

    version: int = field("The version of the document.")
    title: str = field("The title.")
    description: str | None = field("The description; null if there was none.")
    tags: list[str] = field("Labels for grouping, in the order they were given.")
    details: JSON = field("The caller-defined JSON object.", name="metadata")
    edited_by: User = batched_by(resolvers.editors, "The user who made this version.", reads=["edited_by"])
    change_summary: str | None = field("Why this version was made; null if nothing was said.")
    is_generated: bool = field("Whether a machine made this version.")
    created_at: datetime = field("When this version was made.")
    sections: Connection[SectionRevision] = batched_by(
        resolvers.sections_then,
        "The sections in the order of this version, with the texts that they had when the next version was made. "
        "Sections that are in the trash or purged now, or that you may not see now, are left out.",
        cost=10,
    )
    markdown: str = batched_by(
        resolvers.markdown_then, "The whole document at this version, as CommonMark.", cost=1_000
    )
