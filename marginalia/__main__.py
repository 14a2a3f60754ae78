"""`python -m marginalia`: the command line."""

from marginalia.cli import app

if __name__ == "__main__":
    app(prog_name="python -m marginalia")
