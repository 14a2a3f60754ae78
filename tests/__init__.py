"""The tests: they speak GraphQL where they can, and use real databases everywhere."""
