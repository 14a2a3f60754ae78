"""The limits on what clients may send and request."""

TITLE_LENGTH = 1_000
DESCRIPTION_LENGTH = 10_000
CONTENT_LENGTH = 1_000_000
MARKDOWN_LENGTH = 4_000_000
MARKDOWN_LINES = 200_000
MARKDOWN_BLOCKS = 200_000
IMPORTED_SECTIONS = 10_000
IMPORT_SECONDS = 10
"""Processor time for parsing."""
RENDER_SECONDS = 5
"""Processor time for making HTML of a text; one that takes longer is shown as it was written."""
PENDING_IMPORT_LENGTH = 4 * MARKDOWN_LENGTH
"""The most characters of running and waiting imports in a process."""
PENDING_EXPORT_LENGTH = 50 * MARKDOWN_LENGTH
"""The most characters of running and waiting exports in a process; one operation can request that many."""
MESSAGE_LENGTH = 100_000
CLIENT_ID_LENGTH = 200
CALLER_ID_LENGTH = 200
TAGS = 100
TAG_LENGTH = 100
METADATA_LENGTH = 100_000
"""The most characters of metadata as JSON."""
METADATA_DEPTH = 32
SUMMARY_LENGTH = 1_000
USER_ID_LENGTH = 200
API_KEY_NAME_LENGTH = 200
PAGE_SIZE = 20
LARGEST_PAGE = 100
LARGEST_SECTIONS_PAGE = 500
NODES = 100
ENSURED_SECTIONS = 500
