"""Users: who made things, and who is asking."""

import strawberry

from db.principals import Role
from resolvers import users as resolvers
from schema.nodes import Node
from schema.view import View, enum_of, field, resolved_by
from services import users

enum_of(
    Role,
    "What a user may do in a workspace. Each role may do all that the roles before it may.",
    {
        Role.READER: "Reads documents, sections, chats and messages.",
        Role.COMMENTER: "Opens chats and posts messages, too.",
        Role.EDITOR: "Creates documents, arranges sections and uses the trash, too.",
        Role.OWNER: "Purges what is in the trash and repairs the data, too.",
    },
)


@strawberry.type(description="A person or a service known to a workspace.")
class User(View, Node):
    """A user."""

    represents = users.User

    name: str = field("The name to show to people.")


@strawberry.type(description="The tenant: nothing in one workspace can be seen from another.")
class Workspace(View, Node):
    """A workspace."""

    represents = users.Workspace

    name: str = field("The name to show to people.")


@strawberry.type(description="Who is asking, in which workspace, in which role.")
class Viewer(View):
    """The viewer."""

    represents = users.Viewer

    user: User = field("The user who is asking.")
    workspace: Workspace = field("The workspace in which the user is asking.")
    role: Role = field("What the user may do in the workspace.")


@strawberry.type
class Queries:
    """What can be read of users."""

    viewer: Viewer | None = resolved_by(resolvers.viewer, "Who is asking; null only if an error occurred.")
