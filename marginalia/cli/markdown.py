"""The command line of the import: prints the id of each document, and what is wrong with a file."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from db.connection.database import Database
from db.store import Store
from marginalia import files
from marginalia.authentication.local import LOCAL_OWNER
from marginalia.files import UnreadableFile
from marginalia.terminal import write_line
from services import documents
from services.limits import MARKDOWN_LENGTH

LARGEST_FILE = 4 * MARKDOWN_LENGTH
"""The maximum size of a Markdown file, in bytes: that of the longest document in UTF-8."""


async def take_in(database: Database, paths: list[Path]) -> bool:
    """Import files, one document per file. Return whether all were imported."""
    errors = Console(stderr=True)
    store = Store(database, LOCAL_OWNER)
    failed = 0
    # The bar is on standard error, the ids on standard output. They share the console only if both are the terminal.
    shared = sys.stdout.isatty()
    with Progress(console=errors, transient=True, disable=not errors.is_terminal, redirect_stdout=shared) as progress:
        for file in progress.track(paths, description="Importing"):
            try:
                text = files.read_text(file, most=LARGEST_FILE)
            except UnreadableFile as error:
                write_line(f"{file}: {error}", error=True)
                failed += 1
                continue
            made = await documents.import_document(store, None, text, None, file.stem)
            if isinstance(made, documents.ImportDocumentSuccess):
                print(made.document.id, flush=True)
            else:
                write_line(f"{file}: {made.message}", error=True)
                failed += 1
    return not failed
