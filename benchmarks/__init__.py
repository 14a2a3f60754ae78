"""Benchmarks: the cost of a hot ensure, compared with two baselines and profiled by category."""
