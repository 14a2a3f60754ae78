"""What a hot ensure costs: measured beside a handler without GraphQL, and taken apart step by step."""
