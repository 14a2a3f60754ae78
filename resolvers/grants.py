"""Grants: the roles of users on single documents, and the access of documents."""

from collections.abc import Sequence

from db.grants import BY_USER
from db.models import Document, Grant
from db.reading.loader import AwaitableOrValue, Loaded
from db.reading.paging import Connection, Edge
from resolvers.arguments import Access, After, Before, DocId, First, GrantedRole, Last, UserId
from resolvers.context import Info, Parents
from services import documents, grants, users
from services.grants import (
    GrantRoleResult,
    GrantRoleSuccess,
    RevokeRoleResult,
    RevokeRoleSuccess,
    SetDocumentAccessResult,
)
from services.paging import page
from services.users import User


async def grants_of_documents(
    info: Info,
    parents: Parents[Document],
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Sequence[Loaded[Connection[Grant]]]:
    return await grants.of_documents(info.context.store, parents, page(BY_USER, first, after, last, before))


def users_of_grants(info: Info, given: Parents[Grant | RevokeRoleSuccess]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_grants(info.context.store, [grant.user_id for grant in given])


def granters(info: Info, given: Parents[Grant]) -> AwaitableOrValue[Sequence[Loaded[User]]]:
    return users.of_ids(info.context.store, [grant.granted_by for grant in given])


async def grant_role(info: Info, doc_id: DocId, user_id: UserId, role: GrantedRole) -> GrantRoleResult:
    return await grants.grant_role(info.context.store, doc_id, user_id, role)


async def revoke_role(info: Info, doc_id: DocId, user_id: UserId) -> RevokeRoleResult:
    return await grants.revoke_role(info.context.store, doc_id, user_id)


async def set_document_access(info: Info, doc_id: DocId, access: Access) -> SetDocumentAccessResult:
    return await grants.set_document_access(info.context.store, doc_id, access)


def granted_edges(info: Info, granted: Parents[GrantRoleSuccess]) -> Sequence[Edge[Grant]]:
    return [grants.edge(each.grant) for each in granted]


def granted_documents(
    info: Info, changes: Parents[GrantRoleSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.grant.document_id for each in changes])


def revoked_documents(
    info: Info, changes: Parents[RevokeRoleSuccess]
) -> AwaitableOrValue[Sequence[Loaded[Document | None]]]:
    return documents.of_ids(info.context.store, [each.document_id for each in changes])
