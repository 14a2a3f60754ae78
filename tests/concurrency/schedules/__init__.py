"""Schedules: in which order the steps of those who work at the same time may come, and every one of them tried."""
