"""Statements that speak to the session itself, or to every shard: what they do to a conversation."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from outgrow.errors import Error, InterfaceError, NotSupportedError
from outgrow.runtime import pooled
from outgrow.runtime.definitions import ddl, ddl_block
from outgrow.runtime.dress import Dress, Setting, with_setting, without
from outgrow.runtime.prepared import Prepared
from outgrow.runtime.result import Result
from outgrow.runtime.uniqueness import settling
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def transaction_steps(conversation: Conversation, prepared: Prepared, until: float | None) -> Steps[Result]:
    """BEGIN, COMMIT, ROLLBACK, savepoints."""
    command, argument = prepared.statement.command, prepared.statement.argument
    tag = command
    if command == "BEGIN":
        conversation.begin(prepared.sql.rstrip("; \n"))
    elif command == "COMMIT" and not argument:
        yield from conversation.commit_steps(until)
    elif command == "ROLLBACK" and not argument:
        yield from conversation.rollback_steps(until)
    elif command in ("SAVEPOINT", "RELEASE", "ROLLBACK TO"):
        yield from conversation.savepoint_steps(command, argument, until)
    elif command.startswith("SET ") and conversation.transaction is not None:
        yield from conversation.transaction.set_steps(prepared.sql, until)
        if command == "SET CONSTRAINTS" and conversation.state.picture.schema.fleet_unique:
            yield from conversation.transaction.set_steps(settling.DEFERRED, until)
        tag = "SET"
    else:
        raise NotSupportedError(
            "OG-RUN-027",
            f"{command} {argument}".strip() + " is not something a session does over a fleet",
            cure="use BEGIN, COMMIT, ROLLBACK and savepoints; or run it on one shard: execute(sql, shard=...)",
        )
    return Result((), [], tag, -1, ())


def ddl_steps(conversation: Conversation, prepared: Prepared, until: float | None) -> Steps[Result]:
    """CREATE, ALTER, DROP, …: on every shard."""
    if conversation.transaction is not None:
        return (yield from ddl_block.define_steps(conversation.state, conversation.transaction, prepared, until))
    done = yield from ddl.define_steps(conversation.state, prepared.sql, conversation.dress, until)
    for shard, place in done.places.items():
        conversation.footings[shard].raise_floor(place)
        conversation.footings[shard].unplaced = False
    return Result((), [], done.status, -1, done.nodes, done.notices)


def ddl_on_steps(conversation: Conversation, prepared: Prepared, shard: str, until: float | None) -> Steps[Result]:
    """DDL that the user sends to one shard, to mend it: as written, and every picture is taken anew afterwards."""
    state = conversation.state
    try:
        result = yield from conversation.on_one_steps(prepared, shard, (), until)
    finally:
        state.stale = True
    with contextlib.suppress(Error):
        # Other processes may have noted the disagreement that this ends.  Without home they will look by themselves.
        yield from ddl.raise_epoch_steps(state)
    return result


def session_steps(conversation: Conversation, prepared: Prepared, until: float | None) -> Steps[Result]:
    """SET, RESET, SHOW, DISCARD."""
    command, name = prepared.statement.command, prepared.statement.argument
    home = conversation.state.picture.domain.home.name
    if command == "COPY":
        raise NotSupportedError(
            "OG-COPY-013",
            "a COPY has rows to send or to take, which execute() has not",
            cure="use `with session.copy(sql) as copy:`; for files session.load and session.unload",
        )
    if command == "SHOW":
        return (yield from conversation.on_one_steps(prepared, home, (), until))
    if command == "SET LOCAL" and conversation.transaction is not None:
        yield from conversation.transaction.set_steps(prepared.sql, until)
    elif command in ("SET", "SET SESSION AUTHORIZATION") and conversation.transaction is None:
        setting = Setting(name if command == "SET" else "session_authorization", prepared.sql)
        if conversation.state.pooled:
            pooled.check_setting(setting)
        yield from _wear_steps(conversation, with_setting(conversation.dress, setting), until)
    elif command == "RESET" and conversation.transaction is None:
        yield from _wear_steps(conversation, without(conversation.dress, name), until)
    elif command == "DISCARD" and conversation.transaction is None:
        yield from _wear_steps(conversation, (), until)
    else:
        raise NotSupportedError(
            "OG-RUN-031",
            f"{command} is not something a session does over a fleet"
            + (" inside a transaction" if conversation.transaction is not None else ""),
            cure="SET outside of transactions, SET LOCAL inside; or name the shard",
        )
    return Result((), [], command.partition(" ")[0], -1, ())


def _wear_steps(conversation: Conversation, dress: Dress, until: float | None) -> Steps[None]:
    """Try the settings on one connection; where the server takes them, they are the session's from now on."""
    yield from conversation.state.on_home_steps(lambda link: pooled.tried_steps(link, dress), until)
    conversation.dress = dress
    for footing in conversation.footings.values():
        footing.dress = dress


def unusable(conversation: Conversation) -> InterfaceError:
    """Why the session can be asked nothing now."""
    if conversation.closed:
        return InterfaceError("OG-RUN-008", "the session is closed", cure="open another with fleet.session()")
    if conversation.copying:
        return InterfaceError(
            "OG-COPY-003",
            "the session is in the middle of a COPY",
            cure="leave the block of session.copy(…) first, or use another session",
        )
    return InterfaceError(
        "OG-RUN-009",
        "two threads or tasks are using one session at the same time",
        cure="give each its own session; the fleet is what may be shared",
    )
