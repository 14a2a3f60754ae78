"""Crashes: servers that are killed under load, and what they had acknowledged."""
