"""Tests of the tests: with one condition left out, somebody is told what is not for them, and the oracle says so."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import and_, select, true

from db import anchors, chats
from db.anchors import AnchorKey
from db.models import Document, Grant, Section
from db.principals import Principal, Role
from db.reading import loaders, statements, visibility
from db.reading.lookups import Lookup
from db.reading.visibility import Viewer
from db.store import Store
from marginalia.authentication import tokens
from marginalia.transports import runner
from tests.checkers.isolation.conftest import load as load
from tests.checkers.isolation.load import Load

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Each mutant is of a condition that both databases get; the load itself runs on both."""

OPERATIONS = 2_000
"""Far more than any of the mutants needs: a load ends with the first leak."""


@pytest.fixture(autouse=True)
def mutant(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Keep no compiled statement from before the mutant, nor one of the mutant."""
    kept = [statements._compiled, chats._open_in_one_statement, chats._open_under_write_lock]
    for each in kept:
        each.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    for each in kept:
        each.cache_clear()


async def leaks(load: Load) -> str:
    """Return the first leak of a load, of which there has to be one."""
    await load.run(OPERATIONS, until_leak=True)
    assert load.leaks, f"nothing leaked; wrong is {load.wrong[:5]}"
    return load.leaks[0]


def of_other_workspaces(load: Load, leak: str) -> bool:
    """Return whether a leak tells a text of the other workspace."""
    here = leak.split("workspace_id='")[1].split("'")[0]
    return any(f"('{each}', " in leak for each in load.world if each != here)


@pytest.mark.parametrize("name", ["document", pytest.param("section", marks=pytest.mark.thorough)])
async def test_a_lost_workspace_predicate_is_found(load: Load, mutant: pytest.MonkeyPatch, name: str) -> None:
    """Shows: that workspaces are apart is due to the predicate, as the ids are the same."""

    def live(_workspace: Any, row: Any = Document) -> Any:
        return row.deleted_at.is_(None)

    default = {"document": Document, "section": Section}[name]
    mutant.setattr(visibility, f"live_{name}", lambda workspace, row=default: live(workspace, row))
    assert of_other_workspaces(load, await leaks(load))


@pytest.mark.thorough
async def test_a_lookup_without_its_workspace_is_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    def of_all(viewer: Viewer) -> Any:
        return select(Document).where(Document.deleted_at.is_(None), visibility.usable_document(viewer))

    mutant.setattr(loaders, "DOCUMENTS_BY_ID", Lookup(Document.id, of_all))
    assert of_other_workspaces(load, await leaks(load))


async def test_rights_of_whoever_asked_first_are_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    """Shows: that callers can share a statement is due to their keys, which say who asks."""

    class KeyOfNobody(AnchorKey):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, AnchorKey) and (self[0], *self[2:]) == (other[0], *other[2:])

        def __hash__(self) -> int:
            return hash((self[0], *self[2:]))

    mutant.setattr(anchors, "AnchorKey", KeyOfNobody)
    await load.meet(until_leak=True)
    assert "by ensure" in load.leaks[0]


@pytest.mark.thorough
async def test_grants_on_another_document_are_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    def grants(viewer: Viewer, _document_id: Any) -> Any:
        own = and_(Grant.workspace_id == viewer.workspace, Grant.user_id == viewer.user)
        return select(Grant.role).where(own).limit(1).correlate_except(Grant)

    mutant.setattr(visibility, "_grants", grants)
    assert "role=None" not in await leaks(load)


async def test_grants_of_another_user_are_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    def grants(viewer: Viewer, document_id: Any) -> Any:
        on_it = and_(Grant.workspace_id == viewer.workspace, Grant.document_id == document_id)
        return select(Grant.role).where(on_it).limit(1).correlate_except(Grant)

    mutant.setattr(visibility, "_grants", grants)
    assert "role=None" not in await leaks(load)


async def test_a_store_of_the_operation_before_is_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    before: list[Principal] = []

    def store(database: Any, principal: Principal, *others: Any) -> Store:
        before.append(principal)
        return Store(database, before[-2:][0], *others)

    mutant.setattr(runner, "Store", store)
    assert await leaks(load)


async def test_a_session_of_another_token_is_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    """The tokens that were verified are told apart by their beginning, which they have in common."""
    mutant.setattr(tokens, "_digest", lambda credentials: (credentials.authorization or "")[:20].encode())
    assert await leaks(load)


async def test_named_documents_that_are_ignored_are_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    mutant.setattr(visibility, "is_one_of", lambda _column, _keys: true())
    assert "role=None" in await leaks(load)


@pytest.mark.thorough
async def test_a_role_that_is_too_low_for_the_trash_is_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    of = Viewer.of
    mutant.setattr(Viewer, "of", lambda principal, _least=Role.READER: of(principal))
    assert "by trash" in await leaks(load)


async def test_an_anchor_in_a_document_that_is_not_readable_is_found(load: Load, mutant: pytest.MonkeyPatch) -> None:
    """Shows: that a section is read as one of its document is due to the look at the document before."""

    def readable(viewer: Viewer, document: Any = Document) -> Any:
        return visibility.live_document(viewer.workspace, document)

    mutant.setattr(anchors, "visibility", SimpleNamespace(**{**vars(visibility), "readable_document": readable}))
    assert "by ensure" in await leaks(load)
