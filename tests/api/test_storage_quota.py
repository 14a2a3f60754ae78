"""The storage quota: a full workspace takes no more text, and everything else works as before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import OperationalError

from db.connection.database import Database
from db.connection.errors import DatabaseUnavailable
from db.placements import LAST
from db.principals import Principal, Role
from db.storage_quota import StorageQuota, StorageUse
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import documents, messages, sections, trash
from services.outcomes import StorageLimitExceeded
from tests.conftest import Serve
from tests.support import factories

LIMIT = 1_000


class Clock:
    """A clock that stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def quota(database: Database, clock: Clock) -> AsyncIterator[StorageQuota]:
    quota = StorageQuota(database, LIMIT, clock)
    yield quota
    await quota.close()


async def used(quota: StorageQuota, clock: Clock, workspace: str = "local") -> StorageUse | None:
    """Count anew, and return the use if the workspace is full."""
    clock.now += 60
    quota.exceeded(workspace)
    await quota.counted()
    return quota.exceeded(workspace)


async def test_bytes_of_text_are_counted_wherever_they_are(
    database: Database, quota: StorageQuota, clock: Clock
) -> None:
    store = Store(database, LOCAL_OWNER)
    made = await documents.import_document(store, "é" * 100, "# Heading\n\n" + "x" * 500 + "\n", None)
    assert isinstance(made, documents.ImportDocumentSuccess)
    assert await used(quota, clock) is None
    full = await documents.create_document(store, "T", "d" * 400, None)
    assert isinstance(full, documents.CreateDocumentSuccess)
    found = await used(quota, clock)
    assert found is not None
    assert (found.used_bytes, found.limit_bytes) == (200 + 7 + 500 + 1 + 400, LIMIT)
    assert await used(quota, clock, "another") is None
    changed = await documents.update_document(store, full.document.id, {"description": "new"}, None, None)
    assert isinstance(changed, documents.UpdateDocumentSuccess)
    after = await used(quota, clock)
    assert after is not None
    assert after.used_bytes == found.used_bytes + 1 + 3, "the earlier version counts: its title and description"


async def test_a_full_workspace_refuses_text_and_nothing_else(
    database: Database, quota: StorageQuota, clock: Clock
) -> None:
    document = await factories.document(database, title="T" * LIMIT)
    section = await factories.section(database, document)
    chat = await factories.chat(database, section)
    assert await used(quota, clock) is not None
    store = Store(database, LOCAL_OWNER, quota=quota)
    for refused in (
        await documents.create_document(store, "A", None, None),
        await documents.import_document(store, None, "# A", None),
        await sections.create_section(store, document.id, {"title": "A"}, LAST, None),
        await messages.post_message(store, chat.id, "A", None),
    ):
        assert isinstance(refused, StorageLimitExceeded)
        assert (refused.limit_bytes, refused.used_bytes >= LIMIT) == (LIMIT, True)
    assert isinstance(await trash.trash_document(store, document.id), trash.TrashDocumentSuccess)
    assert await used(quota, clock) is not None, "what is in the trash counts"
    assert isinstance(await trash.purge_document(store, document.id), trash.PurgeDocumentSuccess)
    assert await used(quota, clock) is None
    assert isinstance(await documents.create_document(store, "A", None, None), documents.CreateDocumentSuccess)


async def test_rights_are_asked_before_room(database: Database, quota: StorageQuota, clock: Clock) -> None:
    await factories.document(database, title="T" * LIMIT)
    assert await used(quota, clock) is not None
    reader = Store(database, Principal("r", "local", Role.READER), quota=quota)
    assert (await documents.create_document(reader, "A", None, None)).__class__.__name__ == "Forbidden"


async def test_a_count_is_kept_for_a_minute_and_one_runs_at_a_time(
    database: Database, quota: StorageQuota, clock: Clock
) -> None:
    assert await used(quota, clock) is None
    await factories.document(database, title="T" * LIMIT)
    clock.now += 59
    assert quota.exceeded("local") is None
    await quota.counted()
    assert quota.exceeded("local") is None
    clock.now += 1
    for _ in range(10):
        assert quota.exceeded("local") is None, "nobody waits for the count"
    await quota.counted()
    assert quota.exceeded("local") is not None


async def test_a_count_that_fails_refuses_nobody(
    database: Database, quota: StorageQuota, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise DatabaseUnavailable("away") from OperationalError("", {}, Exception())

    with monkeypatch.context() as patched:
        patched.setattr(database, "read", fail)
        assert await used(quota, clock) is None
    await factories.document(database, title="T" * LIMIT)
    assert await used(quota, clock) is not None


CREATE = """
mutation { createDocument(title: "A") {
  __typename ... on StorageLimitExceeded { code message usedBytes limitBytes } ... on Error { code }
} }
"""


async def test_clients_get_a_typed_error(serve: Serve, database: Database) -> None:
    await factories.document(database, title="T" * LIMIT)
    async with serve(max_workspace_bytes=LIMIT) as client, asyncio.timeout(20):
        while True:  # the first writes of a process are not held up by the count
            answer = (await client(CREATE))["createDocument"]
            if answer["__typename"] == "StorageLimitExceeded":
                break
    assert (answer["code"], answer["limitBytes"]) == ("STORAGE_LIMIT_EXCEEDED", LIMIT)
    assert answer["usedBytes"] >= LIMIT
