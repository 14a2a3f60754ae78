"""The GraphQL schema: types as views over domain objects, result unions and the roots."""
