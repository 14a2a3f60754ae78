"""The use cases and their outcomes. No GraphQL, no HTTP, no SQL."""
