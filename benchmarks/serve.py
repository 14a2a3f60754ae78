"""Serving what we are measured against: `python -m benchmarks.serve benchmarks.bare:from_environment`.

By the same code as our own server, so that whatever is changed there is changed for all.
"""

import sys

from marginalia import server


def main() -> None:
    """Serve the application that the command line names, and print where, as ours does."""
    listening = server.listen("127.0.0.1", 0)
    line = f"GraphQL   {server.address(listening)}/graphql"
    server.run(listening, lambda: print(line, flush=True), workers=1, reload=False, application=sys.argv[1])


if __name__ == "__main__":
    main()
