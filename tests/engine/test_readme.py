"""The example in the engine's README runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_prints_its_data() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "engine/README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(example.splitlines()) <= 22
    run = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.stdout == "{'books': [{'title': 'Emma', 'author': 'Austen'}, {'title': 'Ulysses', 'author': 'Joyce'}]}\n"
