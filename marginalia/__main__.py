"""`python -m marginalia`: the command line."""

from marginalia.cli.commands import main
from marginalia.output import lenient

if __name__ == "__main__":
    with lenient():
        main()
