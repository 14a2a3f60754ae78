"""The sampling profiler: `python -m benchmarks.sampling_profiler FILE MODULE ...` runs a module under it.

Between two SIGUSR1 signals it counts the running stack once per millisecond of CPU time, or as often as the kernel
ticks. Then it writes the counts into the file. A tracing profiler such as cProfile would overstate many small calls,
and fails where SQLAlchemy switches greenlets.
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

SAMPLE_INTERVAL_S = 0.001

Place = tuple[str, str]
"""The file and name of a function; or the module of a protocol written in C, and an empty name."""


class Sampler:
    """Counts the stacks of the main thread, innermost place first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stacks: Counter[tuple[Place, ...]] = Counter()
        self._started: float | None = None

    def toggle(self, _signal: int, _frame: FrameType | None) -> None:
        """Start sampling, or stop and write the counts."""
        if self._started is None:
            self._started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SAMPLE_INTERVAL_S, SAMPLE_INTERVAL_S)
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        taken = {"seconds": time.process_time() - self._started, "stacks": list(self._stacks.items())}
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(json.dumps(taken))
        os.replace(unfinished, self._file)

    def sample(self, _signal: int, frame: FrameType | None) -> None:
        """Count the interrupted stack."""
        stack: list[Place] = []
        if frame is not None and frame.f_code.co_name == "_read_ready__data_received":
            # The event loop has called a protocol. asyncpg's is written in C and has no Python frame.
            stack.append((type(frame.f_locals["self"]._protocol).__module__.replace(".", "/"), ""))
        while frame is not None:
            stack.append((frame.f_code.co_filename, frame.f_code.co_name))
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1


def main() -> None:
    """Run the module under the profiler."""
    sampler = Sampler(Path(sys.argv.pop(1)))
    signal.signal(signal.SIGUSR1, sampler.toggle)
    signal.signal(signal.SIGPROF, sampler.sample)
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
