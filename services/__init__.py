"""Use cases and their outcomes, without GraphQL, HTTP or SQL."""
