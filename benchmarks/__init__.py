"""Benchmarks: our server compared with peers, and profiled by category."""
