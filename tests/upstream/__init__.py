"""Upstream: what we assume of the libraries that we work around."""
