"""The doctor: finds data that violates an invariant, and repairs it."""
