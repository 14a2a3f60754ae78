"""Scalars: the formats of values for which GraphQL has no built-in type."""

from collections.abc import Mapping
from datetime import UTC, datetime

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition


def _write(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A UTC timestamp in RFC 3339 format, always with six fractional digits of a second: "
        "2026-11-27T09:30:00.000000Z.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=_write,
        parse_value=datetime.fromisoformat,
    ),
    JSON: strawberry.scalar(
        name="JSON", description="Any JSON value: an object, array, string, number, boolean or null."
    ),
}
"""The replacements for the scalars that Strawberry has for these types."""
