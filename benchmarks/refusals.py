"""`python -m benchmarks.refusals`: the CPU time to refuse each hostile operation of the tests."""

import time

from engine.complexity import Limits
from engine.operation_cache import OperationCache
from engine.prepared_operation import Refused, hold_to_cost
from schema.build import RULES, graphql_schema
from tests.edge.big_operations import HOSTILE

TIMES = 5


def milliseconds(operations: OperationCache, text: str) -> float:
    """Return the least CPU time, in milliseconds, to refuse a text that is not in the operation cache."""
    taken = []
    for number in range(TIMES):
        started = time.process_time()
        try:
            hold_to_cost(operations.find(text + " " * number), {}, operations.limits)
        except Refused:
            taken.append((time.process_time() - started) * 1000)
    return min(taken)


def main() -> None:
    """Run the benchmark and print the results, the most expensive first."""
    operations = OperationCache(graphql_schema(), Limits(), RULES)
    measured = {name: milliseconds(operations, text) for name, (text, _code) in HOSTILE.items()}
    for name, taken in sorted(measured.items(), key=lambda each: each[1], reverse=True):
        print(f"{taken:8.1f} ms  {name}")


if __name__ == "__main__":
    main()
