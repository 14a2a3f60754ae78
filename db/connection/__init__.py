"""Connections: URLs, engines, connection pools, retries, timeouts and errors."""
