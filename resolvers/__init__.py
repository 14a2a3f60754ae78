"""From GraphQL arguments to use cases: resolvers translate, they do not decide."""
