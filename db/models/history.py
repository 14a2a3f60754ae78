"""The history of documents and sections: the states that changes replaced, and where sections stood before."""

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from db import ids
from db.models.base import NULLABLE_JSON, Owned, derived_from


class Revision(Owned):
    """A state that a change replaced; it never changes.

    `created_at` is when the state was made, and `updated_at` when the next one replaced it.
    """

    __abstract__ = True

    version: Mapped[int] = mapped_column(primary_key=True)
    # Who made the state; of the first one, who created the object.
    edited_by: Mapped[str]
    change_summary: Mapped[str | None]
    is_generated: Mapped[bool] = mapped_column(server_default=false())


class SectionRevision(Revision):
    """An earlier state of a section."""

    __tablename__ = "section_revisions"
    __table_args__ = (ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),)

    section_id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    title: Mapped[str | None]
    level: Mapped[int]
    content: Mapped[str]
    status: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))
    link_definitions: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)

    @derived_from("section_id", "version")
    def id(self) -> str:
        """Return the id for clients; it is stored nowhere."""
        return ids.of_revision(ids.SECTION_REVISION, self.section_id, self.version)

    @derived_from("title")
    def heading(self) -> str:
        """Return the title as shown to people; empty if there was none."""
        return self.title or ""


class DocumentRevision(Revision):
    """An earlier state of a document; its sections are those of `Placement` and `FormerPlacement` at that version."""

    __tablename__ = "document_revisions"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True, sort_order=-1)
    title: Mapped[str]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))

    @derived_from("document_id", "version")
    def id(self) -> str:
        """Return the id for clients; it is stored nowhere."""
        return ids.of_revision(ids.DOCUMENT_REVISION, self.document_id, self.version)


class FormerPlacement(Owned):
    """A position that a section had in a document, from one version of the document until before another."""

    __tablename__ = "former_placements"
    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "document_id"], ["documents.workspace_id", "documents.id"]),
        ForeignKeyConstraint(["workspace_id", "section_id"], ["sections.workspace_id", "sections.id"]),
        Index(None, "workspace_id", "section_id"),
    )

    document_id: Mapped[str] = mapped_column(primary_key=True)
    section_id: Mapped[str] = mapped_column(primary_key=True)
    since_version: Mapped[int] = mapped_column(primary_key=True)
    until_version: Mapped[int]
    position: Mapped[str] = mapped_column(Text().with_variant(Text(collation="C"), "postgresql"))
    is_copy: Mapped[bool] = mapped_column(server_default=false())
