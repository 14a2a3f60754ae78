"""The tables: every row belongs to a workspace, and every key begins with its id.

Because of that, the tables can be distributed by workspace on a sharded PostgreSQL, and no foreign key can cross from
one workspace into another. The models have no ORM relationships: loaders read related rows in batches.
"""

from db.models.access import ApiKey as ApiKey
from db.models.access import AuditEntry as AuditEntry
from db.models.access import Grant as Grant
from db.models.access import ShareLink as ShareLink
from db.models.access import User as User
from db.models.access import UserKind as UserKind
from db.models.access import Workspace as Workspace
from db.models.base import Base as Base
from db.models.base import Owned as Owned
from db.models.base import attributes as attributes
from db.models.base import derived as derived
from db.models.base import derived_from as derived_from
from db.models.content import CHAT_OF_SECTION_KEY as CHAT_OF_SECTION_KEY
from db.models.content import ChatSession as ChatSession
from db.models.content import Document as Document
from db.models.content import DocumentAccess as DocumentAccess
from db.models.content import Ensured as Ensured
from db.models.content import Message as Message
from db.models.content import MessageRole as MessageRole
from db.models.content import Placement as Placement
from db.models.content import Section as Section
from db.models.content import SectionStatus as SectionStatus
from db.models.content import Trashable as Trashable
from db.models.history import DocumentRevision as DocumentRevision
from db.models.history import FormerPlacement as FormerPlacement
from db.models.history import Revision as Revision
from db.models.history import SectionRevision as SectionRevision
