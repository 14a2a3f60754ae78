"""Access: what the role of the viewer on an object allows."""

import strawberry

from schema.view import View, field
from services import access


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
