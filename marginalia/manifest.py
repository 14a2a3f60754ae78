"""The manifest of trusted documents: the file that lists the allowed operations."""

from collections.abc import Mapping
from pathlib import Path

from engine.persisted_operations import BadManifest, parse_manifest
from marginalia import files
from marginalia.files import UnreadableFile

LARGEST_MANIFEST = 100_000_000
"""The maximum size of a manifest, in bytes."""


def read_manifest(file: Path) -> Mapping[str, str]:
    """Read the operations of a manifest, by id. Raises `BadManifest` with one line for the operator."""
    try:
        return parse_manifest(files.read_text(file, most=LARGEST_MANIFEST))
    except UnreadableFile as error:
        raise BadManifest(f"The manifest {file} {error}.") from None
    except BadManifest as error:
        raise BadManifest(f"{file} {error}") from None
