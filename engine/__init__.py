"""The engine: GraphQL operations over any graphql-core schema: prepared once, limited, executed, persisted."""
