"""Serves a baseline: `python -m benchmarks.serve benchmarks.baseline_http:from_environment`.

It uses the same server code as Marginalia, so that a change there affects all servers alike.
"""

import sys

from marginalia import server


def main() -> None:
    """Serve the application named on the command line, and print the address as our server does."""
    listening = server.listen("127.0.0.1", 0)
    line = f"GraphQL   {server.address(listening)}/graphql"
    server.run(listening, lambda: print(line, flush=True), workers=1, reload=False, application=sys.argv[1])


if __name__ == "__main__":
    main()
