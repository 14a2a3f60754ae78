"""The audit: listing its entries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import argument

from db import ids
from db.audit import NEWEST_FIRST, AuditAction, AuditFilter
from db.models import AuditEntry
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection
from resolvers.arguments import After, Before, First, Last
from resolvers.context import Info, Parents
from services import audit, users
from services.paging import page
from services.users import User


class Filter:
    """The filter of a client; `schema/audit.py` makes it an input type."""

    actor: strawberry.ID | None = strawberry.field(
        default=None, description="Only acts of the user with this id. The prefix user_ is optional."
    )
    action: AuditAction | None = strawberry.field(default=None, description="Only acts of this kind.")
    subject_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only acts on the object with this id, including its prefix."
    )
    since: datetime | None = strawberry.field(default=None, description="Only acts at this time or later.")
    until: datetime | None = strawberry.field(default=None, description="Only acts before this time.")


WantedEntries = Annotated[Filter | None, argument(description="Which entries to return; without it, all.")]


async def audit_entries(
    info: Info,
    filter: WantedEntries = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Connection[AuditEntry]:
    wanted = filter or Filter()
    actor = None if wanted.actor is None else wanted.actor.removeprefix(ids.USER)
    return await audit.entries(
        info.context.store,
        AuditFilter(actor, wanted.action, wanted.subject_id, wanted.since, wanted.until),
        page(NEWEST_FIRST, first, after, last, before),
    )


def actors(info: Info, entries: Parents[AuditEntry]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [entry.actor for entry in entries])
