"""Fixtures of the upstream tests."""

from collections.abc import Iterator

import pytest
from graphql.type import introspection_types

from tests.edge.conftest import log as log


@pytest.fixture(autouse=True)
def introspection() -> Iterator[None]:
    """Undo what a schema of Strawberry's changes in the introspection types, which all schemas share."""
    fields = introspection_types["__Type"].fields  # type: ignore[attr-defined]
    ours = fields["isOneOf"]
    yield
    fields["isOneOf"] = ours
