"""Tests of services/worker.py: one call at a time, few that wait, and none that nobody waits for."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from db.connection.errors import DatabaseUnavailable
from services.markdown_parser import Budget, ParsingStopped
from services.worker import Worker


def endless(budget: Budget, began: threading.Event) -> Callable[[], None]:
    def work() -> None:
        began.set()
        while True:
            budget.check()

    return work


async def begin(worker: Worker, size: int = 1) -> tuple["asyncio.Task[None]", Budget]:
    """Have a worker begin what does not end by itself."""
    budget, began = Budget(), threading.Event()
    task = asyncio.create_task(worker.run(size, budget, endless(budget, began)))
    await asyncio.to_thread(began.wait)
    return task, budget


async def cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_calls_are_worked_through_one_at_a_time_and_in_order() -> None:
    worker, order, at_work = Worker("test", 1_000), list[int](), threading.Lock()

    def work(number: int) -> int:
        assert at_work.acquire(blocking=False)
        order.append(number)
        at_work.release()
        return number

    results = await asyncio.gather(*(worker.run(1, Budget(), partial(work, number)) for number in range(50)))
    assert results == order == list(range(50))
    assert worker.pending == 0


async def test_an_exception_of_the_work_is_that_of_the_call() -> None:
    worker = Worker("test", 10)

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await worker.run(1, Budget(), fail)
    assert worker.pending == 0


async def test_more_than_may_wait_is_refused_at_once() -> None:
    worker = Worker("test", 10)
    running, _ = await begin(worker, 4)
    waiting = asyncio.create_task(worker.run(6, Budget(), lambda: "done"))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseUnavailable):
        await worker.run(1, Budget(), lambda: None)
    await cancel(running)
    assert await waiting == "done"
    assert await worker.run(11, Budget(), lambda: "large") == "large"


async def test_work_that_runs_stops_when_its_caller_is_cancelled() -> None:
    worker = Worker("test", 10)
    running, _ = await begin(worker)
    await cancel(running)
    assert await worker.run(1, Budget(), lambda: "free") == "free"


async def test_work_that_waits_is_dropped_when_its_caller_is_cancelled() -> None:
    worker, begun = Worker("test", 10), list[bool]()

    def begin_too() -> None:
        begun.append(True)

    running, budget = await begin(worker)
    waiting = asyncio.create_task(worker.run(5, Budget(), begin_too))
    await asyncio.sleep(0)
    await cancel(waiting)
    assert worker.pending == 1
    budget.stop()
    with pytest.raises(ParsingStopped):
        await running
    await worker.run(1, Budget(), lambda: None)
    assert begun == []
