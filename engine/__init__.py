"""The engine: prepares, limits, executes and persists operations over any graphql-core schema."""
