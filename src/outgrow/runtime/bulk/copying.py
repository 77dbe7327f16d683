"""One COPY as steps, in either direction: what `Copy` and `AsyncCopy` drive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow import statement
from outgrow.errors import InterfaceError, ProgrammingError
from outgrow.moving import LoadFormat
from outgrow.nodes import literal
from outgrow.runtime.bulk.copying_in import Inward
from outgrow.runtime.bulk.copying_out import Outward
from outgrow.runtime.events.telling import Telling
from outgrow.runtime.prepared import Parameters, values_of
from outgrow.statement import CopyCommand, Kind
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

#: Names of the one encoding that connections speak.
_UTF8 = ("UTF8", "UNICODE")


class Copying:
    """`enter_steps`, then pieces or rows in one direction, then `leave_steps`, whatever happened."""

    def __init__(self, conversation: Conversation, sql: str, parameters: Parameters) -> None:
        self._conversation = conversation
        self._sql = sql
        self._parameters = parameters
        self._inward: Inward | None = None
        self._outward: Outward | None = None
        self.count = -1
        self._telling: Telling | None = None

    def enter_steps(self) -> Steps[None]:
        conversation = self._conversation
        conversation.hold()
        conversation.copying = True
        if conversation.state.tell is not None:
            self._telling = Telling(conversation, self._sql, self._parameters, lasting=True)
        try:
            sql, command = self._read()
            if conversation.state.stale:
                yield from conversation.state.refresh_steps(None)
            form = form_of(command)
            if command.direction == "from":
                self._inward = Inward(conversation, sql, command, form)
                yield from self._inward.open_steps()
            else:
                self._outward = Outward(conversation, sql, command, form)
                yield from self._outward.open_steps()
        except BaseException as error:
            conversation.release()
            self._tell(error)
            raise

    def leave_steps(self, error: BaseException | None) -> Steps[None]:
        """End it: well, or undone where the block raised `error`."""
        try:
            if self._inward is not None:
                self.count = yield from self._inward.close_steps(error)
            elif self._outward is not None:
                self.count = yield from self._outward.close_steps()
        except BaseException as late:
            error = late
            raise
        finally:
            self._inward = self._outward = None
            self._conversation.release()
            self._tell(error)

    def _tell(self, error: BaseException | None) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.end(self.count, error=error)

    # -- FROM ----------------------------------------------------------------------------------------------------

    def write_steps(self, data: bytes | bytearray | memoryview | str) -> Steps[None]:
        yield from self._into().write_steps(memoryview(data.encode() if isinstance(data, str) else data).cast("B"))

    def write_row_steps(self, row: Sequence[Any]) -> Steps[None]:
        yield from self._into().write_row_steps(row)

    # -- TO ------------------------------------------------------------------------------------------------------

    def read_steps(self) -> Steps[bytes]:
        """The next block of whole rows; nothing behind the last."""
        return (yield from self._out_of().read_steps())

    def rows_steps(self) -> Steps[list[tuple[Any, ...]] | None]:
        """The next rows; None behind the last."""
        return (yield from self._out_of().rows_steps())

    # -- both ----------------------------------------------------------------------------------------------------

    def set_types(self, types: Sequence[int | str]) -> None:
        work = self._inward or self._outward
        if work is None:
            raise self._wrong("is not open")
        work.values.set_types(types)

    def _into(self) -> Inward:
        if self._inward is None:
            raise self._wrong("only gives rows" if self._outward is not None else "is not open")
        return self._inward

    def _out_of(self) -> Outward:
        if self._outward is None:
            raise self._wrong("only takes rows" if self._inward is not None else "is not open")
        return self._outward

    def _wrong(self, how: str) -> InterfaceError:
        return InterfaceError(
            "OG-COPY-014",
            f"this COPY {how}",
            cure="write to COPY … FROM STDIN, read from COPY … TO STDOUT, inside of its `with` block",
        )

    def _read(self) -> tuple[str, CopyCommand]:
        """The statement with its parameters written into it."""
        schema = self._conversation.state.picture.schema
        bound = statement.bind(self._sql, schema, parameters=self._parameters is not None)
        if bound.kind is not Kind.COPY:
            raise ProgrammingError(
                "OG-COPY-001",
                f"{bound.command or 'the statement'} is not a COPY",
                cure="use execute() for everything but COPY … FROM STDIN and COPY … TO STDOUT",
            )
        if self._telling is not None:
            self._telling.statement = bound
        values = values_of(bound.placeholders, self._parameters)
        sql = statement.with_literals(bound.sql, [literal(value) for value in values]) if values else bound.sql
        return sql, statement.copy_command(sql)


def form_of(command: CopyCommand) -> LoadFormat:
    """The format as COPY means it.  What it does not say is COPY's default."""
    options = command.options
    encoding = str(options.get("encoding", "UTF8"))
    if encoding.upper().replace("-", "").replace("_", "") not in _UTF8:
        raise InterfaceError(
            "OG-COPY-004",
            f"the data would be in {encoding}, and every connection speaks UTF8",
            cure="convert it in Python, and leave ENCODING out",
        )
    usual = LoadFormat.of(command.format)
    quote = str(options.get("quote", usual.quote))
    return LoadFormat(
        str(options.get("delimiter", usual.delimiter)),
        str(options.get("null", usual.null)),
        command.header,
        command.format,
        quote,
        str(options.get("escape", quote)),
        str(options["default"]) if "default" in options else None,
        _forced(command, "force_not_null"),
        _forced(command, "force_null"),
    )


def _forced(command: CopyCommand, name: str) -> frozenset[str]:
    named = command.options.get(name, ())
    return frozenset(("*",) if isinstance(named, str) else named)
