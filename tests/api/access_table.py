"""The access matrix: for every root field of the schema, what it needs, and how each of its arguments is filled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.access import Action


@dataclass(frozen=True)
class Of:
    """An argument that takes the id of an object of a kind (`access_world.World.id`)."""

    kind: str


@dataclass(frozen=True)
class New:
    """An argument that takes an id of the caller's own for an object of a kind."""

    kind: str


@dataclass(frozen=True)
class Beside:
    """An argument that takes the id of an object of a kind in the place of the document `docId`."""

    kind: str


@dataclass(frozen=True)
class Cursor:
    """An argument that takes the cursor of the first or the last item of the owner's list."""

    edge: int


@dataclass(frozen=True)
class Need:
    """A role that a field requires, on an argument or, without one, in the workspace."""

    action: Action
    argument: str | None = None


@dataclass(frozen=True)
class Placed:
    """Arguments must be of the same place, because a section stands in the document of its place only."""

    arguments: Sequence[str] = ()
    """The arguments; without any, all."""


@dataclass(frozen=True)
class Taken:
    """An argument takes the id of a section that must be free, or one on which the principal has a role."""

    argument: str
    action: Action


@dataclass(frozen=True)
class Case:
    """A way to call a field: its arguments, and what it requires, in the order in which it is decided."""

    arguments: Mapping[str, Any]
    needs: Sequence[Need | Placed | Taken] = ()
    lists: Sequence[str] = ()
    """The kinds of objects that a list shows."""
    changes: bool = False
    """Whether a success changes what other cases find."""


WHEN = "2100-01-01T00:00:00Z"
LONG_AGO = "2020-01-01T00:00:00Z"
_PAIR = {"docId": Of("document"), "sectionId": Of("section")}
_QUIET = {"docId": Of("document"), "sectionId": Of("quiet_section")}
_FIELDS = {"title": "A title", "level": 2, "content": "", "status": "REVIEWED", "tags": ["a tag"], "metadata": {}}
_PLACES: Sequence[Mapping[str, Any]] = (
    {"first": True},
    {"last": True},
    {"before": Of("section")},
    {"after": Of("section")},
)
_FILTER = {"titleContains": "", "tags": ["a tag"], "updatedSince": LONG_AGO, "createdBy": Of("user")}
_BESIDE: Sequence[Mapping[str, Any]] = (
    {"first": True},
    {"last": True},
    {"before": Beside("quiet_section")},
    {"after": Beside("quiet_section")},
)
_SEEN = [Need(Action.READ, "docId"), Need(Action.READ, "sectionId")]


def _one(action: Action, argument: str, kind: str, *, changes: bool = False, **others: Any) -> Sequence[Case]:
    """Return the case of a field that requires a role on one object."""
    return [Case({argument: Of(kind), **others}, [Need(action, argument)], changes=changes)]


def _pages(action: Action, *kinds: str) -> Sequence[Case]:
    """Return the cases of a list, from both ends and after the cursor of another principal."""
    return [
        Case(arguments, [Need(action)], lists=kinds)
        for arguments in (
            {"first": 100},
            {"last": 100},
            {"first": 100, "after": Cursor(0)},
            {"last": 100, "before": Cursor(-1)},
        )
    ]


_NODES: Mapping[str, Action] = {
    "document": Action.READ,
    "section": Action.READ,
    "chat": Action.READ,
    "message": Action.READ,
    "user": Action.READ,
    "workspace": Action.READ,
    "link": Action.SHARE,
    "grant": Action.SHARE,
    "key": Action.MANAGE_KEYS,
    "audit": Action.READ_AUDIT,
}

TABLE: Mapping[str, Sequence[Case]] = {
    # Queries
    "viewer": [Case({})],
    "node": [Case({"id": Of(kind)}, [Need(action, "id")]) for kind, action in _NODES.items()],
    "nodes": [Case({"ids": [Of(kind)]}, [Need(action, "ids.0")]) for kind, action in _NODES.items()],
    "document": _one(Action.READ, "id", "document"),
    "documents": [
        *_pages(Action.READ, "document", "taken_document"),
        Case({"first": 100, "orderBy": "UPDATED", "filter": _FILTER}, [Need(Action.READ)], lists=["document"]),
    ],
    "sections": [
        *_pages(Action.READ, "section", "quiet_section", "taken_section"),
        Case(
            {
                "first": 100,
                "orderBy": "UPDATED",
                "filter": {**_FILTER, "status": "DRAFT", "hasChat": True, "isPlaced": True},
            },
            [Need(Action.READ)],
            lists=["section"],
        ),
    ],
    "section": _one(Action.READ, "id", "section"),
    "chatSession": _one(Action.READ, "id", "chat"),
    "trashedDocuments": _pages(Action.USE_TRASH, "trashed_document"),
    "trashedSections": _pages(Action.USE_TRASH, "trashed_section"),
    "apiKeys": _pages(Action.MANAGE_KEYS, "key"),
    "auditEntries": [
        *_pages(Action.READ_AUDIT, "audit"),
        Case(
            {
                "first": 100,
                "filter": {
                    "action": "GRANT_ROLE",
                    "actor": Of("user"),
                    "subjectId": Of("document"),
                    "since": LONG_AGO,
                    "until": WHEN,
                },
            },
            [Need(Action.READ_AUDIT)],
            lists=["audit"],
        ),
    ],
    "doctor": [Case({}, [Need(Action.REPAIR)])],
    # Mutations of chats
    "ensureSectionChat": [
        Case(_PAIR, [*_SEEN, Placed()]),
        Case(_QUIET, [*_SEEN, Placed(), Need(Action.OPEN_CHAT, "docId")], changes=True),
    ],
    "ensureSectionChats": [
        Case(
            {"docId": Of("document"), "sectionIds": [Of("section")]},
            [Need(Action.READ, "docId"), Need(Action.READ, "sectionIds.0"), Placed()],
        ),
        Case(
            {"docId": Of("document"), "sectionIds": [Of("quiet_section")]},
            [
                Need(Action.READ, "docId"),
                Need(Action.READ, "sectionIds.0"),
                Placed(),
                Need(Action.OPEN_CHAT, "docId"),
            ],
            changes=True,
        ),
    ],
    "ensureDocumentChats": [
        Case({"docId": Of("document")}, [Need(Action.READ, "docId"), Need(Action.OPEN_CHAT, "docId")], changes=True)
    ],
    "postMessage": _one(Action.POST_MESSAGE, "chatId", "chat", content="Hi", clientId="one"),
    # Mutations of documents and sections
    "createDocument": [
        Case(
            {"title": "A title", "description": "", "id": New("document"), "access": None},
            [Need(Action.CREATE_DOCUMENT)],
        )
    ],
    "importDocument": [
        Case(
            {"title": "A title", "markdown": "# A title", "id": New("document"), "access": None},
            [Need(Action.CREATE_DOCUMENT)],
        )
    ],
    "updateDocument": [
        Case(
            {
                "docId": Of("document"),
                "changes": {"title": "A title", "description": "", "tags": ["a tag"], "metadata": {}},
                "expectedVersion": 1,
                "summary": "Why",
            },
            [Need(Action.EDIT, "docId")],
            changes=True,
        )
    ],
    "createSection": [
        Case(
            {"docId": Of("document"), "section": {**_FIELDS, **own_id}, "at": at},
            [Need(Action.ARRANGE_SECTIONS, "docId"), Placed()],
        )
        for at, own_id in zip(_PLACES, [{"id": New("section")}, {}, {}, {}], strict=True)
    ],
    "updateSection": [
        Case(
            {"sectionId": Of("section"), "changes": _FIELDS, "expectedVersion": 1, "summary": "Why"},
            [Need(Action.EDIT, "sectionId")],
            changes=True,
        )
    ],
    "revertDocument": [
        Case(
            {"docId": Of("document"), "version": 1, "expectedVersion": 1, "summary": "Why"},
            [Need(Action.EDIT, "docId")],
        )
    ],
    "revertSection": [
        Case(
            {"sectionId": Of("section"), "version": 1, "expectedVersion": 1, "summary": "Why"},
            [Need(Action.EDIT, "sectionId")],
        )
    ],
    "syncDocument": [
        Case(
            {
                "docId": Of("document"),
                "title": "A title",
                "sections": [{**_FIELDS, "id": New("section")}],
                "expectedVersion": 1,
            },
            [Need(Action.EDIT, "docId")],
            changes=True,
        ),
        Case(
            {"docId": Of("document"), "sections": [{"id": Of("section")}]},
            [Need(Action.READ, "docId"), Need(Action.EDIT, "docId"), Taken("sections.0.id", Action.EDIT)],
            changes=True,
        ),
    ],
    "placeSection": [
        Case(
            {**_PAIR, "at": at},
            [*_SEEN, Need(Action.ARRANGE_SECTIONS, "docId"), Need(Action.ARRANGE_SECTIONS, "sectionId")],
            changes=True,
        )
        for at in _BESIDE
    ],
    "copySection": [
        Case(
            {**_PAIR, "at": at, **own_id},
            [*_SEEN, Need(Action.ARRANGE_SECTIONS, "docId")],
        )
        for at, own_id in zip(_BESIDE, [{"id": New("section")}, {}, {}, {}], strict=True)
    ],
    "moveSection": [
        Case({**_PAIR, "at": at}, [*_SEEN, Placed(), Need(Action.ARRANGE_SECTIONS, "docId")]) for at in _BESIDE
    ],
    "replaceSection": [
        Case(
            {**_PAIR, "replacementId": Of("quiet_section")},
            [
                Need(Action.READ, "docId"),
                Need(Action.READ, "sectionId"),
                Placed(("docId", "sectionId")),
                Need(Action.ARRANGE_SECTIONS, "docId"),
                Need(Action.READ, "replacementId"),
                Need(Action.ARRANGE_SECTIONS, "replacementId"),
            ],
            changes=True,
        )
    ],
    "removeSection": [Case(_PAIR, [*_SEEN, Placed(), Need(Action.ARRANGE_SECTIONS, "docId")], changes=True)],
    "trashDocument": _one(Action.USE_TRASH, "docId", "document", changes=True),
    "restoreDocument": _one(Action.USE_TRASH, "docId", "trashed_document", changes=True),
    "purgeDocument": _one(Action.PURGE, "docId", "trashed_document", changes=True),
    "trashSection": _one(Action.USE_TRASH, "sectionId", "section", changes=True),
    "restoreSection": _one(Action.USE_TRASH, "sectionId", "trashed_section", changes=True),
    "purgeSection": _one(Action.PURGE, "sectionId", "trashed_section", changes=True),
    # Mutations of rights
    "setDocumentAccess": _one(Action.SHARE, "docId", "document", changes=True, access="RESTRICTED"),
    "grantRole": _one(Action.SHARE, "docId", "document", userId=Of("user"), role="EDITOR"),
    "revokeRole": _one(Action.SHARE, "docId", "document", userId=Of("user")),
    "createShareLink": _one(Action.SHARE, "docId", "document", role="READER", expiresAt=WHEN),
    "revokeShareLink": _one(Action.SHARE, "linkId", "link"),
    "createApiKey": [
        Case({"name": "A key", "role": "OWNER", "kind": "SERVICE", "expiresAt": WHEN}, [Need(Action.MANAGE_KEYS)])
    ],
    "revokeApiKey": [Case({"keyId": Of("key")}, [Need(Action.MANAGE_KEYS), Need(Action.MANAGE_KEYS, "keyId")])],
    "repair": [Case({}, [Need(Action.REPAIR)])],
    "eraseUser": [Case({"userId": Of("user")}, [Need(Action.ERASE)], changes=True)],
    # Subscriptions
    "sectionChatOpened": _one(Action.READ, "docId", "document"),
}
"""The cases of each root field."""

LISTS_OF_IDS: Mapping[str, Sequence[Case]] = {
    "nodes": [
        Case({"ids": [Of("document"), Of("section"), Of("chat")]}),
        Case({"ids": [Of("message"), Of("link"), Of("grant"), Of("user")]}),
    ],
    "ensureSectionChats": [
        Case({"docId": Of("document"), "sectionIds": [Of("section"), Of("quiet_section"), Of("section")]})
    ],
}
"""Cases with several ids in a list, for the comparison of hidden ids with missing ones alone."""


def leaves(value: Any, path: str = "") -> Mapping[str, Any]:
    """Return the values in arguments by their paths: fields of inputs and numbers in lists, joined by dots."""
    if isinstance(value, Mapping) and (value or not path):
        parts = value.items()
    elif isinstance(value, list):
        parts = ((str(number), each) for number, each in enumerate(value))  # type: ignore[assignment]
    else:
        return {path: value}
    return {name: leaf for key, each in parts for name, leaf in leaves(each, f"{path}.{key}" if path else key).items()}


def filled(value: Any, chosen: Mapping[str, Any], path: str = "") -> Any:
    """Return arguments with the chosen values, by path, in place of those that stand for them."""
    if isinstance(value, Mapping):
        return {key: filled(each, chosen, f"{path}.{key}" if path else key) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, chosen, f"{path}.{number}") for number, each in enumerate(value)]
    return chosen.get(path, value)
