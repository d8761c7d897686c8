"""Iterators that run ahead in threads."""

import contextlib
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.system.background import prefetch, run_in_thread


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 5))
def test_everything_comes_in_order(items, most):
    assert list(prefetch(iter(items), most)) == items


def test_an_error_comes_after_what_went_before_it():
    def failing():
        yield 1
        yield 2
        raise ValueError("broken")

    items = prefetch(failing(), 4)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_it_stays_only_so_far_ahead_and_ends_when_closed():
    made = []
    closed = threading.Event()

    def counting():
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.set()

    before = threading.active_count()
    with contextlib.closing(prefetch(counting(), 3)) as items:
        assert next(items) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        # One was taken, three wait, and one is in hand.
        assert len(made) == 5
    assert closed.is_set()
    assert threading.active_count() == before


def test_stages_close_one_another():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.closing(prefetch(source(), 1)))
        second = stack.enter_context(contextlib.closing(prefetch((item + 1 for item in first), 1)))
        assert next(second) == 2
    assert closed.is_set()


def test_background_calls_return_or_raise_as_called():
    gate = threading.Event()
    call = run_in_thread(lambda: gate.wait(10) and 7)
    assert not call.done()
    gate.set()
    assert call.result(10) == 7
    with pytest.raises(ZeroDivisionError):
        run_in_thread(lambda: 1 / 0).result(10)
