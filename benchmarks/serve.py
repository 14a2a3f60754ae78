"""Serves a baseline, with uvloop and httptools: `python -m benchmarks.serve MODULE:FACTORY`."""

import signal
import sys
from types import FrameType

import uvicorn

from marginalia import server


def main() -> None:
    """Serve the application named on the command line, and print the address as our server does."""
    listening = server.listen("127.0.0.1", 0)
    config = uvicorn.Config(
        sys.argv[1], factory=True, loop="uvloop", http="httptools", log_config=None, access_log=False
    )

    def end(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)  # uvicorn raises the signal again when it has ended

    signal.signal(signal.SIGTERM, end)
    print(f"GraphQL   {server.address(listening)}/graphql", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
