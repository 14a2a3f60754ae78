"""People: the erasure of a user."""

from collections.abc import Sequence

from db.reading.loader import AwaitableOrValue, Loaded
from resolvers.arguments import UserId
from resolvers.context import Info, Parents
from services import people, users
from services.people import EraseUserResult, EraseUserSuccess
from services.users import User


async def erase_user(info: Info, user_id: UserId) -> EraseUserResult:
    return await people.erase_user(info.context.store, user_id)


def erased_users(info: Info, erased: Parents[EraseUserSuccess]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [receipt.user_id for receipt in erased])
