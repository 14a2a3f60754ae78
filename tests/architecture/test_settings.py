"""The settings: each is in the table that tells of them, with its default."""

from pathlib import Path

import pytest

from marginalia.settings import Settings

OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    default = Settings.model_fields[name].default
    written = str(default).lower() if isinstance(default, bool) else str(default)
    if isinstance(default, list):
        written = ",".join(default)
    assert f"| `MARGINALIA_{name.upper()}` | `{written}` |" in OPERATING
