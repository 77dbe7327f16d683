from __future__ import annotations

from outgrow.nodes.prepared import COUNTED_MAX, Preparations
from outgrow.nodes.queries import QUERIES


def test_a_key_is_due_after_the_given_number_of_runs():
    book = Preparations(after=3, size_max=10)
    assert [book.should_prepare(("q", (20,))) for _ in range(5)] == [False, False, False, True, False]
    assert not book.should_prepare(("q", (21,)))


def test_zero_and_none_mean_never():
    for never in (0, None):
        book = Preparations(after=never, size_max=10)
        assert not any(book.should_prepare(("q", ())) for _ in range(20))


def test_the_least_recently_used_leaves_and_is_to_be_closed():
    book = Preparations(after=1, size_max=2)
    for used, text in ((5, "a"), (3, "b"), (9, "c")):
        prepared = book.new()
        prepared.used = used
        book.add((text, ()), prepared)
    assert set(book.known) == {("a", ()), ("c", ())}
    assert book.stale == [b"_og_2"]


def test_dropped_statements_are_to_be_closed_and_lost_ones_are_not():
    book = Preparations(after=1, size_max=2)
    book.add(("a", ()), book.new())
    book.drop()
    assert (book.known, book.stale) == ({}, [b"_og_1"])
    book.add(("a", ()), book.new())
    book.gone()
    assert (book.known, book.stale) == ({}, [])


def test_counting_is_bounded():
    book = Preparations(after=5, size_max=2)
    for i in range(COUNTED_MAX * 2):
        book.should_prepare((str(i), ()))
    assert len(book._counts) <= COUNTED_MAX


def test_own_queries_are_found_by_name():
    assert {"type_names", "identity", "alive", "rollback"} <= set(QUERIES)
    assert not any("--" in sql or not sql for sql in QUERIES.values())
