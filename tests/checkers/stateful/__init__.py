"""Stateful: random calls in any order, beside a model that answers the same."""
