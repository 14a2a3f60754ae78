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
from schema.view import View, enum_of, field, resolved_by
from services import messages

enum_of(
    models.MessageRole,
    "Who speaks in a message.",
    {
        models.MessageRole.USER: "A person or a service.",
        models.MessageRole.ASSISTANT: "The assistant.",
        models.MessageRole.SYSTEM: "The system from which the chat was imported.",
    },
)


@strawberry.type(description="One entry of a chat.")
class Message(View, Node):
    """A message."""

    represents = models.Message

    chat: ChatSession | None = resolved_by(
        resolvers.chat, "The chat it belongs to; null if it was trashed with its section meanwhile."
    )
    seq: int = field("Its number: the messages of a chat are numbered 1, 2, 3 ... without gaps.")
    role: models.MessageRole = field("Who speaks.")
    author: User = resolved_by(users.author, "The user who posted it.")
    content: str = field("The text, as Markdown, stored unchanged.", cost=5)
    client_id: str | None = field("The key that its sender gave to the post; null if the sender gave none.")
    created_at: datetime = field("When it was posted.")


@strawberry.type(description="A message was posted, now or by an earlier call with the same client id.")
class PostMessageSuccess(View):
    """The success of postMessage."""

    represents = messages.PostMessageSuccess

    # Not `message`: beside the text of an Error, which has that name, nobody could select it.
    posted_message: Message = field("The message, with its number.")
    message_edge: Edge[Message] = resolved_by(
        resolvers.posted_edge, "The message as an edge of ChatSession.messages, for clients that keep that list."
    )
    chat: ChatSession | None = resolved_by(
        resolvers.posted_chat, "The chat, with its new message count; null if it was trashed meanwhile."
    )


@strawberry.type
class Mutations:
    """What can be done with messages."""

    post_message = result_of(
        resolvers.post_message,
        "Post a message to a chat. Safe to repeat with a client id.",
        answer="The message with its number, or why it was not posted.",
    )
