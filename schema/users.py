"""Users: the authors of objects, and the viewer who sends the request."""

import strawberry

from db.models import UserKind
from db.principals import Role
from resolvers import users as resolvers
from schema.nodes import Node
from schema.view import View, enum_of, field, resolved_by
from services import users

enum_of(
    Role,
    "What a user may do in a workspace. In ascending order: READER, COMMENTER, EDITOR, OWNER. Each role includes the "
    "rights of the lower roles.",
    {
        Role.READER: "May read documents, sections, chats and messages.",
        Role.COMMENTER: "May also open chats and post messages.",
        Role.EDITOR: "May also create documents, arrange sections and use the trash.",
        Role.OWNER: "May also purge trashed items and repair the data.",
    },
)


enum_of(
    UserKind,
    "What a user is.",
    {
        UserKind.PERSON: "A person.",
        UserKind.SERVICE: "A program, such as the backend of an application.",
        UserKind.ASSISTANT: "An assistant, which writes by itself.",
        UserKind.GUEST: "Somebody who came by a share link, under a name of their choice.",
    },
)


@strawberry.type(description="A person or a service known to a workspace.")
class User(View, Node):
    """A user."""

    represents = users.User

    name: str = field("The display name.")


@strawberry.type(description="The tenant. No workspace can see the data of another.")
class Workspace(View, Node):
    """A workspace."""

    represents = users.Workspace

    name: str = field("The display name.")


@strawberry.type(description="The user who sends the request, with their workspace and role.")
class Viewer(View):
    """The viewer."""

    represents = users.Viewer

    user: User = field("The user who sends the request.")
    workspace: Workspace = field("The workspace of the request.")
    role: Role | None = field(
        "What the user may do in the workspace; null for a user who has rights on some of its documents only."
    )


@strawberry.type
class Queries:
    """The query fields for users."""

    viewer: Viewer | None = resolved_by(
        resolvers.viewer,
        "The user who sends the request, with their workspace and role; null only if an error occurred.",
    )
