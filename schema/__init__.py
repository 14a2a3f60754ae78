"""What clients see: types as views over domain objects, result unions, the roots, the schema."""
