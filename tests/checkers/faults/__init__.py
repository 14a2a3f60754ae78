"""Faults: databases, files and callers that fail at any step."""
