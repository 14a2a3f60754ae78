"""The engine: it serves any schema."""
