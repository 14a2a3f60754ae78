"""A server under a sampler: `python -m benchmarks.sampled FILE MODULE ...` runs a module as the command line would.

From one SIGUSR1 to the next, every millisecond of processor time (or as often as the kernel ticks), the stack of what
runs is counted; at the end the counts are written into the file. A profiler that follows every call, as cProfile does,
would make what is many small calls look dearer than it is, and loses its way where SQLAlchemy switches greenlets.
"""

import json
import os
import runpy
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.001

Place = tuple[str, str]
"""The file and the name of a function; or the module of a protocol written in C, and nothing."""


class Sampler:
    """Counts the stacks of the main thread, innermost place first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stacks: Counter[tuple[Place, ...]] = Counter()
        self._started: float | None = None

    def toggle(self, _signal: int, _frame: FrameType | None) -> None:
        """Begin, or end and write."""
        if self._started is None:
            self._started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        taken = {"seconds": time.process_time() - self._started, "stacks": list(self._stacks.items())}
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(json.dumps(taken))
        os.replace(unfinished, self._file)

    def sample(self, _signal: int, frame: FrameType | None) -> None:
        """Count the stack that was interrupted."""
        stack: list[Place] = []
        if frame is not None and frame.f_code.co_name == "_read_ready__data_received":
            # The event loop has called a protocol. Of asyncpg's, which is written in C, there is no frame.
            stack.append((type(frame.f_locals["self"]._protocol).__module__.replace(".", "/"), ""))
        while frame is not None:
            stack.append((frame.f_code.co_filename, frame.f_code.co_name))
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1


def main() -> None:
    """Run the module."""
    sampler = Sampler(Path(sys.argv.pop(1)))
    signal.signal(signal.SIGUSR1, sampler.toggle)
    signal.signal(signal.SIGPROF, sampler.sample)
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
