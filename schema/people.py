"""People: the erasure of a user."""

import strawberry

from resolvers import people as resolvers
from schema.results import result_of
from schema.users import User
from schema.view import View, batched_by, field
from services import people


@strawberry.type(description="The user was erased. These are the counts of what held their text or their id.")
class EraseUserSuccess(View):
    """The success of eraseUser: the receipt."""

    represents = people.EraseUserSuccess

    user: User = batched_by(
        resolvers.erased_users, "The anonymous user who stands in place of the erased one from now on."
    )
    message_count: int = field("How many messages were emptied. Their numbers stay.")
    document_count: int = field("How many documents of the user stay, without their name.")
    section_count: int = field("How many sections of the user stay, without their name.")
    chat_count: int = field("How many chats that the user opened stay, without their name.")
    grant_count: int = field("How many grants were deleted, or stay without the name of the user who made them.")
    share_link_count: int = field("How many share links of the user were revoked, or were so before.")
    api_key_count: int = field("How many API keys of the user were revoked, or were so before.")
    audit_entry_count: int = field("How many audit entries stay, without the name of the user.")
    revision_count: int = field("How many earlier versions that the user made stay, without their name.")


@strawberry.type
class Mutations:
    """The mutation fields for people."""

    erase_user = result_of(
        resolvers.erase_user,
        "Erase a user for good. Only owners may. Their messages become empty, their name, avatar and id are replaced "
        "everywhere, and what gives them rights is revoked. Documents and sections stay with their text: they belong "
        "to the workspace. First, take from the user the tokens with which they would come again. If the answer is "
        "TemporarilyUnavailable, call again.",
        answer="The receipt of the erasure, or the reason the user was not erased.",
    )
