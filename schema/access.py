"""Access: roles, and what they allow."""

import strawberry

from db.principals import Role
from schema.view import View, enum_of, field
from services import access

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


@strawberry.type(description="What you may do with an object: whether a mutation would be refused for your role.")
class Rights(View):
    """The rights of the viewer on an object."""

    represents = access.Rights

    comment: bool = field("Whether you may open chats and post messages.")
    edit: bool = field("Whether you may change the object: a document and its arrangement, or a section.")
    share: bool = field("Whether you may grant roles, make share links and restrict the document.")
    use_trash: bool = field("Whether you may move the object to the trash and restore it.")
    purge: bool = field("Whether you may delete the object permanently.")


VIEWER_ROLE = "Your role on this object; null if you lost your access to it meanwhile."
VIEWER_CAN = "What you may do with this object."
