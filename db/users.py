"""Users: their profiles, kept as their tokens name them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.connection.database import Database
from db.inserts import insert_if_absent
from db.models import User, UserKind
from db.times import utcnow


@dataclass(frozen=True)
class Profile:
    """How a token names a user."""

    workspace_id: str
    user_id: str
    kind: UserKind
    name: str
    avatar_url: str | None = None
    named_at: datetime | None = None
    """When the token was issued. None: the token does not know the user's name, so a stored one stays."""


async def remember(database: Database, profile: Profile) -> None:
    """Store a profile, unless a token that was issued later has named the user, or nothing changed.

    Raises `DatabaseUnavailable`.
    """
    async with database.read() as session:
        key = User.workspace_id == profile.workspace_id, User.id == profile.user_id
        stored = (await session.execute(select(*_SHOWN, User.named_at).where(*key))).one_or_none()
    if stored is not None:
        *shown, named_at = stored
        is_older = profile.named_at is None or (named_at is not None and profile.named_at < named_at)
        if is_older or shown == [profile.kind, profile.name, profile.avatar_url]:
            return
    row = User(
        workspace_id=profile.workspace_id,
        id=profile.user_id,
        kind=profile.kind,
        name=profile.name,
        avatar_url=profile.avatar_url,
        named_at=profile.named_at,
    )

    async def store(session: AsyncSession) -> None:
        if await insert_if_absent(session, row, "workspace_id", "id") is None and profile.named_at is not None:
            changed = {
                "kind": profile.kind,
                "name": profile.name,
                "avatar_url": profile.avatar_url,
                "named_at": profile.named_at,
                "updated_at": utcnow(),
            }
            is_newer = or_(User.named_at.is_(None), User.named_at <= profile.named_at)
            change = update(User).where(*key, is_newer).values(changed)
            await session.execute(change.execution_options(synchronize_session=False))

    await database.transact(store, repeatable=True)


_SHOWN = (User.kind, User.name, User.avatar_url)
