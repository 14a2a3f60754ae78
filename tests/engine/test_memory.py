"""Memory: the operation cache holds a bounded amount, whatever is sent, with the plans of what was executed."""

import asyncio
import gc
import resource
import tracemalloc
from types import SimpleNamespace

import pytest

from engine import operation_cache
from engine.complexity import Limits
from engine.execution import ExecutionLimits, execute
from engine.operation_cache import OperationCache
from marginalia.authentication.local import LOCAL_OWNER
from schema.build import graphql_schema
from tests.support.thorough import thorough

TEXT = """
query ($more: Boolean!, $other: Boolean!) {{
  viewer {{ name{0}: __typename @skip(if: $more) user {{ id name @include(if: $other) }} workspace {{ id name }} }}
}}
"""


pytestmark = pytest.mark.slow  # memory is counted object by object

STORE = SimpleNamespace(
    principal=LOCAL_OWNER, workspace_id=LOCAL_OWNER.workspace_id, reads_only=lambda _kind, _attributes: True
)
CONTEXT = SimpleNamespace(store=STORE)
LIMITS = ExecutionLimits(seconds=60)


async def run_all(cache: OperationCache, first: int, last: int) -> None:
    """Execute different texts, each with every choice of its directives."""
    for number in range(first, last):
        operation = cache.find(TEXT.format(number))
        for more in (True, False):
            for other in (True, False):
                await execute(operation, {"more": more, "other": other}, lambda _: CONTEXT, LIMITS)


def test_what_is_evicted_leaves_no_memory_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation_cache, "KEPT_CHARACTERS", 100_000)
    cache = OperationCache(graphql_schema(), Limits())
    asyncio.run(run_all(cache, 0, 50))
    tracemalloc.start()
    try:
        asyncio.run(run_all(cache, 50, 100))
        gc.collect()
        full = tracemalloc.get_traced_memory()[0]
        asyncio.run(run_all(cache, 100, 175))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - full
    finally:
        tracemalloc.stop()
    assert len(cache) < 50
    assert grown < 0.2 * full


def test_the_size_of_an_entry_is_not_less_than_its_memory() -> None:
    cache = OperationCache(graphql_schema(), Limits())
    asyncio.run(run_all(cache, 0, 10))
    gc.collect()
    tracemalloc.start()
    try:
        before = cache.size
        asyncio.run(run_all(cache, 10, 60))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held <= operation_cache.BYTES_PER_CHARACTER * (cache.size - before)


@pytest.mark.skipif(not thorough(), reason="takes about five minutes")
def test_a_hundred_thousand_texts_take_no_more_memory_than_ten_thousand() -> None:
    cache = OperationCache(graphql_schema(), Limits())
    asyncio.run(run_all(cache, 0, 10_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    asyncio.run(run_all(cache, 10_000, 100_000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes
