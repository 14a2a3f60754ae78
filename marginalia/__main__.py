"""`python -m marginalia`: the command line."""

from marginalia.cli import app
from marginalia.output import lenient

if __name__ == "__main__":
    with lenient():
        app(prog_name="python -m marginalia")
