"""The trash: what is told of things that were taken away for good."""

import strawberry

from db import purges
from schema.view import View, field


@strawberry.type(description="What is gone for good.")
class Purged(View):
    """What a purge took away."""

    represents = purges.Purged

    section_count: int = field("How many sections are gone: those that stood nowhere else.")
    chat_count: int = field("How many chats are gone with them.")
    message_count: int = field("How many messages are gone with those.")
