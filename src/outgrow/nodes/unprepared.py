"""Statements off the hot path: not prepared yet, being prepared, or answered otherwise than with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.pq.abc import PGresult

from outgrow import errors
from outgrow.nodes import translate
from outgrow.nodes.exchange import COMMAND_OK, EMPTY_QUERY, FATAL_ERROR, IDLE
from outgrow.nodes.prepared import Prepared
from outgrow.nodes.rows import Rows
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link, Params


def first_run_steps(
    link: Link, sql: str, values: Any, types: tuple[int, ...], formats: Any, until: float | None, prepare: bool
) -> Steps[Rows]:
    """A statement that is not prepared (yet): learn its columns, and prepare it when it is due.

    `values`, `types` and `formats` are what `Link.dump` made of the parameters.
    """
    key = (sql, types)
    preparations = link.preparations
    if not (prepare and not link.in_failed_transaction and preparations.should_prepare(key)):
        text = link.encoded(sql)
        result = yield from link.ask_steps(lambda c: c.send_query_params(text, values, types, formats), until)
        _check(link, result)
        return link.rows_of(result, (yield from link.fields_steps(result, until)))
    prepared = yield from _prepare_steps(link, sql, types, until)
    try:
        result = yield from link.ask_steps(lambda c: c.send_query_prepared(prepared.name, values, formats), until)
        _check(link, result)
        fields = yield from link.fields_steps(result, until)
    except BaseException:
        preparations.stale.append(prepared.name)
        raise
    rows = link.rows_of(result, fields)
    prepared.learn(fields, rows.status)
    link.count_use(prepared)
    preparations.add(key, prepared)
    return rows


def _check(link: Link, result: PGresult) -> None:
    if result.status == FATAL_ERROR:
        raise translate.from_result(result, link.node)


def _prepare_steps(link: Link, sql: str, types: tuple[int, ...], until: float | None) -> Steps[Prepared]:
    """Close what was given up, then prepare.  (Close is a message, not a statement: any transaction state will do.)"""
    preparations = link.preparations
    while preparations.stale:
        name = preparations.stale.pop()
        yield from link.ask_steps(lambda c, name=name: c.send_close_prepared(name), until)
    prepared = preparations.new()
    text = link.encoded(sql)
    _check(link, (yield from link.ask_steps(lambda c: c.send_prepare(prepared.name, text, types), until)))
    return prepared


def unusual_steps(link: Link, result: PGresult, sql: str, params: Params, until: float | None) -> Steps[Rows]:
    """A prepared statement that returned no rows: a command, an error, or a plan out of date."""
    if result.status in (COMMAND_OK, EMPTY_QUERY):
        return link.rows_of(result, ())
    if result.status != FATAL_ERROR:
        raise errors.InternalError(
            "OG-NODE-190", f"a result of status {result.status}", cure="report it", node=link.node.name
        )
    state = translate.sqlstate_of(result)
    lookup_failed = state == "XX000" and b"cache lookup failed" in result.error_message
    if state in translate.STALE or lookup_failed:
        link.preparations.drop()
        if link.pgconn.transaction_status == IDLE:
            # It was refused before it did anything, or undone: outside a transaction once more is safe.
            return (yield from link.run_steps(sql, params, until=until, prepare=False))
    raise translate.from_result(result, link.node)
