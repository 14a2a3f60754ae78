"""Resolvers: they translate GraphQL arguments into calls of use cases and decide nothing."""
