"""Asking: a call of a history, done by the use cases of the server or sent to it."""

from collections.abc import Awaitable
from typing import Any

from db.connection.database import Database
from db.models import ChatSession
from db.placements import LAST
from db.principals import Principal, Role
from db.store import Store
from marginalia.authentication.local import LOCAL_OWNER
from services import chats, placements, trash
from tests.api.test_trash import move
from tests.checkers.reference_model import Answer, Call, Verb
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, place, remove

READER = Principal(user_id="reader", workspace_id=LOCAL_OWNER.workspace_id, role=Role.READER)

_OF_DOCUMENT = {
    Verb.TRASH_DOCUMENT: ("trashDocument", trash.trash_document),
    Verb.RESTORE_DOCUMENT: ("restoreDocument", trash.restore_document),
    Verb.PURGE_DOCUMENT: ("purgeDocument", trash.purge_document),
}
_OF_SECTION = {
    Verb.TRASH_SECTION: ("trashSection", trash.trash_section),
    Verb.RESTORE_SECTION: ("restoreSection", trash.restore_section),
    Verb.PURGE_SECTION: ("purgeSection", trash.purge_section),
}


async def perform(database: Database, call: Call) -> Answer:
    """Do what is asked by the use case of the server."""
    answer = await _use_case(Store(database, READER if call.verb is Verb.PEEK else LOCAL_OWNER), call)
    if isinstance(answer, ChatSession):
        return Answer(str(answer.ensured), answer.id)
    return Answer(type(answer).__name__)


def _use_case(store: Store, call: Call) -> Awaitable[object]:
    verb, document, section = call
    if verb in _OF_DOCUMENT:
        return _OF_DOCUMENT[verb][1](store, document)
    if verb in _OF_SECTION:
        return _OF_SECTION[verb][1](store, section)
    if verb is Verb.REMOVE:
        return placements.remove_section(store, document, section)
    if verb is Verb.PLACE:
        return placements.place_section(store, document, section, LAST)
    return chats.ensure_section_chat(store, document, section)


async def ask(client: Client, call: Call) -> Answer:
    """Send what is asked to a server, as the owner, who cannot peek; errors fail the test."""
    verb, document, section = call
    if verb is Verb.ENSURE:
        answer = await ensure(client, document, section)
        return Answer(answer.get("ensured") or answer["__typename"], answer.get("id"))
    if verb is Verb.REMOVE:
        return Answer(await remove(client, document, section))
    if verb is Verb.PLACE:
        return Answer(await place(client, document, section))
    moved: dict[str, Any] = await move(client, (_OF_DOCUMENT | _OF_SECTION)[verb][0], document or section)
    return Answer(moved["__typename"])
