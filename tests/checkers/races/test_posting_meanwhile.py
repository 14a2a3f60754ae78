"""Posting, while somebody else takes the chat away: the answer is what is true by then."""

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any

from sqlalchemy import event, text

from db.connection.database import Database
from marginalia.authentication.local import LOCAL_OWNER
from tests.api import operations
from tests.edge.outages import execute
from tests.support.client import Served

SAME_CLIENT_ID = f"""
INSERT INTO messages (workspace_id, id, chat_id, seq, role, author, content, client_id)
SELECT workspace_id, 'msg_other', id, 1000, 'USER', '{LOCAL_OWNER.user_id}', 'Other text', 'c1' FROM chat_sessions
"""  # noqa: S608 - our own names


def by_another_process(url: str, *statements: str) -> None:
    """Run statements to their end on connections of their own, while everybody here stands still."""

    async def run() -> None:
        database = Database(url)
        await execute(database, *statements)
        await database.close()

    thread = Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join()


def once(run: Callable[[], None]) -> Callable[..., None]:
    pending = [run]

    def listener(*_event: Any) -> None:
        if pending:
            pending.pop()()

    return listener


async def test_a_post_to_a_chat_that_was_purged_just_now_says_so(client: Served, database_url: str) -> None:
    """Shows: the client id is in use as the message is added, and gone with the chat as it is looked for."""
    document = await operations.import_document(client, "# A")
    (section,) = await operations.section_ids(client, document)
    chat = await operations.ensure_chat(client, document, section)
    await operations.post_message(client, chat, "First", clientId="c0")
    writes = client.database.engines[0].sync_engine
    taken = once(lambda: by_another_process(database_url, SAME_CLIENT_ID))
    purge = ("UPDATE sections SET chat_session_id = NULL", "DELETE FROM messages", "DELETE FROM chat_sessions")
    purged = once(lambda: by_another_process(database_url, *purge))
    event.listen(writes, "checkout", taken)
    event.listen(writes, "checkin", purged)
    answer = await client(operations.POST_MESSAGE, chatId=chat, content="Hello", clientId="c1")
    event.remove(writes, "checkout", taken)
    event.remove(writes, "checkin", purged)
    assert answer["postMessage"]["__typename"] == "ChatSessionNotFound"
    async with client.database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM messages")) == 0
