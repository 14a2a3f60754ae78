"""Limits: how much a client may send and ask for, in one place."""

TITLE_LENGTH = 1_000
DESCRIPTION_LENGTH = 10_000
CONTENT_LENGTH = 1_000_000
MARKDOWN_LENGTH = 4_000_000
MARKDOWN_LINES = 200_000
MARKDOWN_BLOCKS = 200_000
IMPORTED_SECTIONS = 10_000
IMPORT_SECONDS = 10
"""Of processor time, for parsing."""
PENDING_IMPORT_LENGTH = 4 * MARKDOWN_LENGTH
"""How many characters of imports run or wait in a process at most."""
PENDING_EXPORT_LENGTH = 50 * MARKDOWN_LENGTH
"""How many characters of exports run or wait in a process at most: one operation can ask for that many."""
MESSAGE_LENGTH = 100_000
CLIENT_ID_LENGTH = 200
CALLER_ID_LENGTH = 200
PAGE_SIZE = 20
LARGEST_PAGE = 100
LARGEST_SECTIONS_PAGE = 500
NODES = 100
ENSURED_SECTIONS = 500
