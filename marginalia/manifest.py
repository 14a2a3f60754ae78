"""The manifest of trusted documents: the file that says which operations are run."""

from collections.abc import Mapping
from pathlib import Path

from engine.persisted_operations import BadManifest, parse_manifest
from marginalia import files
from marginalia.files import UnreadableFile

LARGEST_MANIFEST = 100_000_000
"""How many bytes a manifest may have."""


def read_manifest(file: Path) -> Mapping[str, str]:
    """Read the operations of a manifest, by their ids. Raises `BadManifest` with one line for whoever starts us."""
    try:
        return parse_manifest(files.read_text(file, most=LARGEST_MANIFEST))
    except UnreadableFile as error:
        raise BadManifest(f"The manifest {file} {error}.") from None
    except BadManifest as error:
        raise BadManifest(f"{file} {error}") from None
