"""Users: the authors of objects, and the viewer who sends the request."""

import strawberry

from db.models import UserKind
from db.principals import Role
from resolvers import users as resolvers
from schema.nodes import Node
from schema.view import View, batched_by, enum_of, field, resolved_by
from services import users

enum_of(
    Role,
    "What a user may do in a workspace, or with a document and its sections. In ascending order: READER, COMMENTER, "
    "EDITOR, OWNER. Each role includes the rights of the lower roles.",
    {
        Role.READER: "May read documents, sections, chats and messages.",
        Role.COMMENTER: "May also open chats and post messages.",
        Role.EDITOR: "May also create documents, arrange sections and use the trash.",
        Role.OWNER: "May also purge trashed items and repair the data. Only a workspace has owners.",
    },
)


enum_of(
    UserKind,
    "What a user is.",
    {
        UserKind.PERSON: "A person.",
        UserKind.SERVICE: "A program of the integrator, such as a backend with an API key.",
        UserKind.ASSISTANT: "An assistant that writes as a machine.",
        UserKind.GUEST: "Somebody who came with a share link, under a name of their own choice.",
    },
)


@strawberry.type(description="A person, service, assistant or guest known to a workspace.")
class User(View, Node):
    """A user."""

    represents = users.User

    name: str = field("The display name, as the token of the user gave it last; the id if no token gave one.")
    avatar_url: str | None = field("The URL of a picture of the user; null if no token gave one.")
    kind: UserKind = field("What the user is.")


@strawberry.type(description="The tenant. No workspace can see the data of another.")
class Workspace(View, Node):
    """A workspace."""

    represents = users.Workspace

    name: str = field("The display name; the id if no name was given.")


@strawberry.type(description="The user who sends the request, with their workspace and role.")
class Viewer(View):
    """The viewer."""

    represents = users.Viewer

    user: User = batched_by(resolvers.users_of_viewers, "The user who sends the request.")
    workspace: Workspace = batched_by(resolvers.workspaces_of_viewers, "The workspace of the request.")
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
