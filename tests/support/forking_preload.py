"""What the processes of `tests/support/forking.py` need not import, imported once."""

import gc

import marginalia.app
import marginalia.cli.commands
import marginalia.cli.doctor
import marginalia.cli.legacy
import marginalia.cli.markdown
import marginalia.cli.serving  # noqa: F401
import tests.support.forking  # noqa: F401

gc.freeze()
