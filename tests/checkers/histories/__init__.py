"""Histories: what was asked and answered, and whether one thing at a time could have answered so."""
