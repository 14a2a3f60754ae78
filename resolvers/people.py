"""People: the erasure of a user."""

from collections.abc import Sequence

from resolvers.arguments import UserId
from resolvers.context import Info, Parents, each
from services import people, users
from services.people import EraseUserResult, EraseUserSuccess
from services.users import User


async def erase_user(info: Info, user_id: UserId) -> EraseUserResult:
    return await people.erase_user(info.context.store, user_id)


def erased_users(info: Info, erased: Parents[EraseUserSuccess]) -> Sequence[User | Exception]:
    return each(lambda receipt: users.user(receipt.user_id), erased)
