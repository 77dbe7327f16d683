"""Statements that name tables of other domains: bound to the schemas of all of them, and planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from outgrow import plan, schema, statement
from outgrow.errors import Error, ProgrammingError
from outgrow.plan import Places, refuse
from outgrow.runtime import pooled
from outgrow.runtime.picture import Picture
from outgrow.runtime.prepared import Prepared
from outgrow.schema import Federation
from outgrow.statement import Kind, Statement
from outgrow.topology import Abroad

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: What binding says of a table that the session's own domain does not have.
_UNKNOWN = "OG-STMT-010"


class Federated(NamedTuple):
    """The schemas of all domains as one of them understands them, and the pictures that they were taken from."""

    own: Picture
    others: Mapping[str, Picture]
    schema: Federation


def instead(state: DomainState, text: str, parameters: bool, unknown: ProgrammingError) -> Prepared:
    """The plan over several domains of a statement that the own domain alone does not understand.

    Raises `unknown` where that has nothing to do with other domains.
    """
    if unknown.code != _UNKNOWN:
        raise unknown
    if state.file.engine != "postgresql":
        _check_speaks(state, text, parameters)
        raise unknown
    known = _federated(state)
    return _planned(state, known, statement.bind(text, known.schema, parameters=parameters), parameters)


def perhaps(state: DomainState, text: str, parameters: bool) -> Prepared | None:
    """The same of a statement that is opaque, because a table's name in it may have a domain's before it."""
    if state.file.engine != "postgresql" or not any(name in text for name in (state.name, *state.neighbours)):
        return None
    known = _federated(state)
    try:
        bound = statement.bind(text, known.schema, parameters=parameters)
    except ProgrammingError as error:
        if any(f"'{domain}." in error.message for domain in known.schema.domains):
            raise
        return None
    if bound.kind is Kind.OPAQUE or not any(isinstance(table, Abroad) for table in (*bound.reads, *bound.writes)):
        return None
    return _planned(state, known, bound, parameters)


def _federated(state: DomainState) -> Federated:
    """As the pictures are now."""
    known = state.federated
    others = {name: other.picture for name, other in state.neighbours.items()}
    if known is None or known.own is not state.picture or known.others != others:
        made = schema.federate(state.picture.schema, {name: picture.schema for name, picture in others.items()})
        known = state.federated = Federated(state.picture, others, made)
    return known


def _planned(state: DomainState, known: Federated, bound: Statement, parameters: bool) -> Prepared:
    foreign = [table for table in (*bound.reads, *bound.writes) if isinstance(table, Abroad)]
    places = {name: Places(picture.schema, picture.domain) for name, picture in known.others.items()}
    places[state.name] = Places(known.own.schema, known.own.domain)
    planned = plan.build_across(bound, known.schema, places)
    for table in (*bound.reads, *bound.writes, *planned.statement.reads):
        picture = known.others[table.domain] if isinstance(table, Abroad) else known.own
        disagreement = picture.disagreements.get(table.there if isinstance(table, Abroad) else table)
        if disagreement is not None:
            raise disagreement
    prepared = Prepared(bound.placeholders, planned, None)
    prepared.abroad = {name: known.others[name] for name in dict.fromkeys(table.domain for table in foreign)}
    prepared.with_parameters = parameters
    if state.pooled:
        pooled.check_statement(prepared)
    state.picture.plans.keep((bound.text, parameters), prepared)
    return prepared


def _check_speaks(state: DomainState, text: str, parameters: bool) -> None:
    """Refuse a statement over several domains that is asked of one which cannot finish it."""
    for name, other in state.neighbours.items():
        if other.file.engine != "postgresql":
            continue
        try:
            bound = statement.bind(text, _federated(other).schema, parameters=parameters)
        except Error:
            continue
        if bound.kind is not Kind.OPAQUE:
            tables = (*bound.reads, *bound.writes)
            domains = dict.fromkeys(table.domain if isinstance(table, Abroad) else name for table in tables)
            raise refuse("across from", ", ".join(domains), state.name, name)
