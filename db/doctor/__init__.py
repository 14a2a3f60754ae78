"""The doctor: what breaks a rule in the data, and how it is repaired."""
