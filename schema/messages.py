"""Messages: the entries of a chat, numbered without gaps."""

from datetime import datetime

import strawberry

from db import models
from resolvers import messages as resolvers
from resolvers import users
from schema.chats import ChatSession
from schema.nodes import Edge, Node
from schema.results import result_of
from schema.users import User
from schema.view import View, batched_by, enum_of, field
from services import messages

enum_of(
    models.MessageRole,
    "The kind of speaker of a message.",
    {
        models.MessageRole.USER: "A person or a service.",
        models.MessageRole.ASSISTANT: "The assistant.",
        models.MessageRole.SYSTEM: "The system from which the chat was imported.",
    },
)


@strawberry.type(description="A message in a chat.")
class Message(View, Node):
    """A message."""

    represents = models.Message

    chat: ChatSession | None = batched_by(
        resolvers.chats_of_messages, "The chat of the message; null if it was trashed with its section meanwhile."
    )
    seq: int = field("The number of the message in its chat: 1, 2, 3 ... without gaps.")
    role: models.MessageRole = field("The kind of speaker of the message.")
    author: User = batched_by(users.authors, "The user who posted the message.", reads=["author"])
    content: str = field("The text of the message, as Markdown, stored unchanged.", cost=5)
    client_id: str | None = field("The idempotency key that the sender gave to the post; null if the sender gave none.")
    created_at: datetime = field("When the message was posted.")


@strawberry.type(description="The message was posted, by this call or by an earlier call with the same client id.")
class PostMessageSuccess(View):
    """The success of postMessage."""

    represents = messages.PostMessageSuccess

    # Not `message`: Error has a field of that name and another type, so a query could not select both.
    posted_message: Message = field("The posted message, with its number.")
    message_edge: Edge[Message] = batched_by(
        resolvers.posted_edges, "The message as an edge of ChatSession.messages, for clients that keep that list."
    )
    chat: ChatSession | None = batched_by(
        resolvers.posted_chats, "The chat of the message, with its new message count; null if it was trashed meanwhile."
    )


@strawberry.type
class Mutations:
    """The mutation fields for messages."""

    post_message = result_of(
        resolvers.post_message,
        "Post a message to a chat. Safe to retry with a client id.",
        answer="The message with its number, or the reason it was not posted.",
    )
