"""The bookkeeping of chunks: longest first, deaths counted, exceptions narrowed down, slow ones asked twice."""

from __future__ import annotations

from evalkit.cluster.chunks import Chunk
from evalkit.cluster.dispatch import TRIES, Dispatch, Work
from evalkit.models.base import WorkItem
from evalkit.types import Response


def chunk(number: int, cost: int, size: int = 4) -> Chunk:
    return Chunk(number, tuple(WorkItem(f"{number}-{i}", "t", f"{number}-{i}", 0, "generate") for i in range(size)), cost)


def ok(work: Work, *numbers: int) -> list[Response]:
    return [Response(work.items[i].key, "ok", text="x") for i in numbers]


def taken(state: Dispatch, now: float = 0.0) -> Work:
    work = state.take(now)
    assert work is not None
    return work


def test_longest_first_and_the_done_ones_never() -> None:
    state = Dispatch.of([chunk(0, 5), chunk(1, 9), chunk(2, 7)], {f"2-{i}" for i in range(4)})
    assert [taken(state).number, taken(state).number] == [1, 0]
    assert state.take(0.0) is None and not state.over


def test_a_chunk_goes_on_where_a_replica_died() -> None:
    state = Dispatch.of([chunk(0, 5)], ())
    work = taken(state)
    assert len(state.arrived(work, ok(work, 0, 1))) == 2
    assert state.died(work, "gone") == []
    again = taken(state)
    assert again.items == work.items and again.left == {"0-2", "0-3"}  # planned over all its items, as before
    assert [r.key for r in state.arrived(again, ok(again, 1, 2, 3))] == ["0-2", "0-3"] and state.counts.repeated == 1
    assert state.finished(again, 1.0) == [] and state.over


def test_a_replica_that_dies_with_nothing_in_hand_is_counted() -> None:
    state = Dispatch.of([chunk(0, 5)], ())
    assert state.died(None, "killed while it loaded") == []
    assert state.counts.deaths == 1 and taken(state).deaths == 0


def test_three_deaths_make_errors_of_what_is_left_and_the_rest_goes_on() -> None:
    state = Dispatch.of([chunk(0, 9), chunk(1, 5)], ())
    errors: list[Response] = []
    for _ in range(TRIES):
        work = taken(state)
        assert work.number == 0 and not errors
        state.arrived(work, ok(work, 0))
        errors += state.died(work, "out of memory")
    assert [(r.key, r.status) for r in errors] == [("0-1", "error"), ("0-2", "error"), ("0-3", "error")]
    assert "out of memory" in str(errors[0].error)
    assert taken(state).number == 1


def test_an_exception_is_narrowed_down_to_its_document() -> None:
    state = Dispatch.of([chunk(0, 8, size=5)], ())
    errors, answered = [], set()
    while not state.over:
        work = taken(state)
        if any(item.key == "0-3" for item in work.items):
            errors += state.failed(work, "bad token")
            continue
        answered |= {r.key for r in state.arrived(work, ok(work, *range(len(work.items))))}
        errors += state.finished(work, 0.0)
    assert [(r.key, r.error) for r in errors] == [("0-3", "bad token")] and answered == {"0-0", "0-1", "0-2", "0-4"}


def test_a_slow_chunk_is_asked_twice_and_the_first_answer_counts() -> None:
    state = Dispatch.of([chunk(0, 10), chunk(1, 10)], ())
    slow, quick = taken(state, 0.0), taken(state, 0.0)
    state.arrived(quick, ok(quick, *range(4)))
    state.finished(quick, 1.0)
    assert state.take(1.5) is None  # not late yet
    twin = taken(state, 5.0)
    assert twin is slow and state.take(99.0) is None  # never a third time
    assert len(state.arrived(slow, ok(slow, *range(4)))) == 4
    assert state.finished(slow, 6.0) == [] and state.over
    assert state.arrived(slow, ok(slow, 0)) == [] and state.finished(slow, 7.0) == [] and state.counts.asked_twice == 1


def test_the_death_of_one_of_two_holders_changes_nothing() -> None:
    state = Dispatch.of([chunk(0, 10), chunk(1, 10)], ())
    slow, quick = taken(state), taken(state)
    state.arrived(quick, ok(quick, *range(4)))
    state.finished(quick, 1.0)
    assert taken(state, 9.0) is slow
    assert state.died(slow, "gone") == [] and state.take(9.0) is None
    state.arrived(slow, ok(slow, *range(4)))
    state.finished(slow, 10.0)
    assert state.over


def test_an_answer_that_is_left_out_is_an_error() -> None:
    state = Dispatch.of([chunk(0, 10)], ())
    work = taken(state)
    state.arrived(work, ok(work, 0, 1, 2))
    assert [r.key for r in state.finished(work, 1.0)] == ["0-3"]


def test_without_replicas_all_that_is_left_is_an_error() -> None:
    state = Dispatch.of([chunk(0, 10), chunk(1, 5)], ())
    taken(state)
    assert len(state.give_up("no node")) == 8 and state.over


def test_what_could_not_be_sent_waits_again() -> None:
    state = Dispatch.of([chunk(0, 5), chunk(1, 9)], ())
    work = taken(state)
    state.put_back(work)
    assert (work.holders, state.waiting) == (0, 2) and taken(state) is work
    state.finished(taken(state), 1.0)
    assert taken(state, 1000.0) is work and state.counts.asked_twice == 1
    state.put_back(work)  # the first replica still has it
    assert (work.holders, state.waiting, state.counts.asked_twice) == (1, 0, 0)
