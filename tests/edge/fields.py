"""Fields: every field of the schema that takes arguments, how to call it, and what makes a good call."""

from typing import Any, NamedTuple

import graphql

from schema.build import sdl
from tests.api import operations
from tests.api.test_api_keys import create_key
from tests.api.test_share_links import create_link
from tests.support.client import Client

# How to come to the fields of each type; `call` is the field with its arguments.
WAYS = {
    "Query": "query ({variables}) {{ {call} }}",
    "Mutation": "mutation ({variables}) {{ {call} }}",
    "Document": "query ($inDocument: ID!, {variables}) {{ document(id: $inDocument) {{ {call} }} }}",
    "Section": "query ($inSection: ID!, {variables}) {{ section(id: $inSection) {{ {call} }} }}",
    "DocumentRevision": "query ($inDocument: ID!, {variables}) "
    "{{ document(id: $inDocument) {{ revision(version: 1) {{ {call} }} }} }}",
    "ChatSession": "query ($inChat: ID!, {variables}) {{ chatSession(id: $inChat) {{ {call} }} }}",
}


class Field(NamedTuple):
    """A field that takes arguments."""

    parent: str
    name: str
    definition: graphql.GraphQLField

    def __str__(self) -> str:
        return f"{self.parent}.{self.name}"

    @property
    def operation(self) -> str:
        """An operation that selects the field, with all its arguments as variables."""
        arguments = self.definition.args
        variables = ", ".join(f"${name}: {argument.type}" for name, argument in arguments.items())
        call = f"{self.name}({', '.join(f'{name}: ${name}' for name in arguments)})"
        kind = graphql.get_named_type(self.definition.type)
        if graphql.is_union_type(kind):
            call += " { __typename ... on Error { code message } }"
        elif graphql.is_composite_type(kind):
            call += " { __typename }"
        return WAYS[self.parent].format(variables=variables, call=call)


def fields(parent: str | None = None) -> list[Field]:
    """Return every field that takes arguments, of the schema or of one of its types; subscriptions are tested apart."""
    types = graphql.build_schema(sdl()).type_map.values()
    return [
        Field(type_.name, name, field)
        for type_ in types
        if graphql.is_object_type(type_) and not type_.name.startswith(("__", "Subscription"))
        if parent in (type_.name, None)
        for name, field in type_.fields.items()
        if field.args
    ]


class World(NamedTuple):
    """A document with a section, its chat and a message, and good values for all arguments there are."""

    document: str
    section: str
    chat: str
    spare_document: str = ""
    """What is put into the trash and taken back."""
    spare_section: str = ""
    trashed_document: str = ""
    """What is in the trash."""
    trashed_section: str = ""
    key: str = ""
    link: str = ""

    def good(self, field: Field) -> dict[str, Any]:
        """Return variables that make a good call of the field."""
        document, section = self.document, self.section
        if field.name.startswith(("trash", "restore")):
            document, section = self.spare_document, self.spare_section
        elif field.name.startswith("purge"):
            document, section = self.trashed_document, self.trashed_section
        elif field.name == "replaceSection":
            document, section = self.spare_document, self.spare_section
        filters = {"documents": {"titleContains": "a"}, "sections": {"status": "DRAFT"}}
        values: dict[str, Any] = {
            "docId": document,
            "sectionId": section,
            "sectionIds": [section],
            "chatId": self.chat,
            "id": None if field.parent == "Mutation" else self.document,
            "ids": [self.document],
            "title": "A title",
            "description": "What it is about",
            "markdown": "# A heading",
            "content": "A text",
            "level": 2,
            "clientId": None,
            "keyId": self.key,
            "linkId": self.link,
            "userId": "somebody",
            "name": "A name",
            "role": "READER",
            "kind": "SERVICE",
            "expiresAt": None,
            "access": "RESTRICTED",
            "filter": filters.get(field.name, {"action": "GRANT_ROLE", "actor": "somebody"}),
            "orderBy": "UPDATED",
            "at": {"last": True},
            "section": {"title": "A title"},
            "sections": [{"id": section, "title": "A title"}],
            "changes": {"title": "A title"},
            "replacementId": self.section,
            "expectedVersion": None,
            "summary": "Why",
            "version": 1,
            "from": 1,
            "to": None,
            "first": 2,
            "after": None,
            "last": None,
            "before": None,
        }
        around = {"inDocument": self.document, "inSection": self.section, "inChat": self.chat}
        return {name: values[name] for name in field.definition.args} | {
            name: value for name, value in around.items() if f"${name}" in field.operation
        }


async def make_world(client: Client) -> World:
    """Make what good calls are about."""
    document = await operations.import_document(client, "# A section\n\nText.")
    (section,) = await operations.section_ids(client, document)
    chat = await operations.ensure_chat(client, document, section)
    await operations.post_message(client, chat, "Hello")
    spare, trashed = [await operations.import_document(client, "# One\n\n# Two") for _ in range(2)]
    spare_section, trashed_section = await operations.section_ids(client, spare)
    await operations.trash(client, document=trashed, section=trashed_section)
    key = (await create_key(client))["apiKey"]["id"]
    link = (await create_link(client, document))["shareLink"]["id"]
    return World(document, section, chat, spare, spare_section, trashed, trashed_section, key, link)
