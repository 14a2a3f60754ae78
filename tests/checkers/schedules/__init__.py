"""Schedules: in which order the steps of concurrent actors may come, and every one of them tried."""
