"""Arranging: the mutations that place, copy, move, replace and remove sections, for the tests that send them."""

from typing import Any

from tests.support.client import Client

_ERRORS = """
    ... on Error { message code }
    ... on SectionNotInDocument { docId sectionId }
    ... on Forbidden { subjectId }
"""
_INVALID = "... on InvalidInput { violations { path message } }"
_TAKEN = "... on IdTaken { takenId }"

CREATE = (
    """
mutation ($docId: ID!, $section: SectionInput!, $at: SectionPosition) {
  createSection(docId: $docId, section: $section, at: $at) {
    __typename
    ... on CreateSectionSuccess {
      section { id title level content status tags metadata isGenerated }
      sectionEdge { position isCopy node { id } }
      document { id version }
    }
"""
    + _ERRORS
    + _INVALID
    + _TAKEN
    + "} }"
)
PLACE = (
    """
mutation ($docId: ID!, $sectionId: ID!, $at: SectionPosition) {
  placeSection(docId: $docId, sectionId: $sectionId, at: $at) {
    __typename
    ... on PlaceSectionSuccess { placement { position } sectionEdge { node { id } } document { id version } }
"""
    + _ERRORS
    + "} }"
)
COPY = (
    """
mutation ($docId: ID!, $sectionId: ID!, $at: SectionPosition, $id: ID) {
  copySection(docId: $docId, sectionId: $sectionId, at: $at, id: $id) {
    __typename
    ... on CopySectionSuccess {
      section { id title content version chat { id } }
      sectionEdge { isCopy node { id } }
      document { id version }
    }
"""
    + _ERRORS
    + _INVALID
    + _TAKEN
    + "} }"
)
MOVE = (
    """
mutation ($docId: ID!, $sectionId: ID!, $at: SectionPosition!) {
  moveSection(docId: $docId, sectionId: $sectionId, at: $at) {
    __typename
    ... on MoveSectionSuccess { placement { position } sectionEdge { node { id } } document { id version } }
"""
    + _ERRORS
    + _INVALID
    + "} }"
)
REPLACE = (
    """
mutation ($docId: ID!, $sectionId: ID!, $replacementId: ID!) {
  replaceSection(docId: $docId, sectionId: $sectionId, replacementId: $replacementId) {
    __typename
    ... on ReplaceSectionSuccess {
      placement { position } sectionEdge { node { id } } replaced { id chat { id } } document { id version }
    }
"""
    + _ERRORS
    + _INVALID
    + "} }"
)


async def arrange(client: Client, mutation: str, document_id: str, **variables: Any) -> dict[str, Any]:
    """Send a mutation that arranges a document, and return its answer."""
    ((_, answer),) = (await client(mutation, docId=document_id, **variables)).items()
    found: dict[str, Any] = answer
    return found
