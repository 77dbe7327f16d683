"""COPY … FROM STDIN: the rows go where their keys say, in the session's transaction or in one of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from outgrow.errors import Error, NotSupportedError, ProgrammingError
from outgrow.moving import (
    BINARY_HEADER,
    BINARY_TRAILER,
    Feed,
    Lane,
    LinkTarget,
    LoadFormat,
    LoadTable,
    Pour,
    RowForm,
    SplitFeed,
    Whole,
    layout,
    shards_of,
)
from outgrow.nodes import Values, known_types
from outgrow.runtime.bulk.targets import may_differ, numbering, sharded, target_steps
from outgrow.runtime.directories import directory
from outgrow.runtime.transaction.surrounding import Surrounding
from outgrow.statement import CopyCommand, copy_adding
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation

#: Rows are gathered until they are this many bytes.
_GATHERED = 1 << 16


class Inward:
    """`open_steps`, writes, `close_steps`."""

    def __init__(self, conversation: Conversation, sql: str, command: CopyCommand, form: LoadFormat) -> None:
        self._conversation = conversation
        self._sql = sql
        self._command = command
        self._form = form
        self._rows = RowForm(form)
        self._gathered = bytearray()
        self._types: list[str] = []
        #: Binary rows were given, so that header and trailer are ours to write.
        self._headed = False
        self._failed: BaseException | None = None
        self._copies = 1
        self._surrounding: Surrounding
        self._pour: Pour
        self.values: Values

    def open_steps(self) -> Steps[None]:
        assert self._command.table is not None
        schema, name = self._command.table
        found, target = yield from target_steps(self._conversation, name, schema)
        given = self._command.columns or tuple(column.name for column in target.columns)
        placer = self._conversation.state.picture.placer
        shards = list(shards_of(target, placer))
        form = self._whole_form(given)
        numbers = numbering(self._conversation.state, found, target, given, form)
        self._check(target, (*given, *numbers.names) if numbers is not None else given, len(shards))
        feed: Feed = Whole(len(shards))
        if (sharded(target) and len(shards) > 1) or numbers is not None:
            look_up = partial(directory.assign_steps, self._conversation.state, placer)
            keys = placer if sharded(target) else None
            feed = SplitFeed(layout(target, form, given, numbers), shards, keys, look_up)
        if not sharded(target):
            self._copies = len(shards)
        if numbers is not None:
            self._sql = copy_adding(self._sql, numbers.names)
        types = {column.name: column.type for column in target.columns}
        self._types = [types.get(name, "") for name in given]
        self._surrounding = Surrounding(self._conversation)
        try:
            listed = directory.lists(placer, target)
            links = yield from self._surrounding.links_steps(shards, placer if listed else None)
            self.values = Values(links[0], binary=self._form.kind == "binary")
            lanes = [Lane(shard, LinkTarget(link)) for shard, link in zip(shards, links, strict=True)]
            self._pour = Pour(lanes, feed)
            try:
                yield from self._pour.begin_steps(self._sql)
            except BaseException:
                yield from self._pour.abort_steps("another shard refused")
                raise
        except GeneratorExit:
            self._surrounding.abandon()
            raise
        except BaseException as error:
            yield from self._surrounding.failed_steps(error)
            raise

    def write_steps(self, data: memoryview) -> Steps[None]:
        self._check_whole()
        try:
            yield from self._flush_steps()
            yield from self._pour.put_steps(data)
        except BaseException as error:
            self._failed = error
            raise

    def write_row_steps(self, row: Sequence[Any]) -> Steps[None]:
        self._check_whole()
        try:
            if self._form.kind == "binary" and not self._headed:
                self._headed = True
                self._gathered += BINARY_HEADER
                if not self.values.typed and known_types(self._types):
                    self.values.set_types(self._types)
            self._gathered += self._rows.row(self.values.dump(row))
            if len(self._gathered) >= _GATHERED:
                yield from self._flush_steps()
        except BaseException as error:
            self._failed = error
            raise

    def close_steps(self, error: BaseException | None) -> Steps[int]:
        """End every COPY and what surrounds them; the rows that were taken."""
        raised, error = error, error or self._failed
        try:
            if error is None:
                if self._headed:
                    self._gathered += BINARY_TRAILER
                yield from self._flush_steps()
                counts = yield from self._pour.end_steps()
        except GeneratorExit:
            self._surrounding.abandon()
            raise
        except BaseException as late:
            error = late
        if error is not None:
            yield from self._pour.abort_steps("given up")
            yield from self._surrounding.failed_steps(error)
            if raised is None:
                raise error
            return -1
        yield from self._surrounding.done_steps()
        return sum(counts) // self._copies

    # -- parts ---------------------------------------------------------------------------------------------------

    def _flush_steps(self) -> Steps[None]:
        if self._gathered:
            data, self._gathered = self._gathered, bytearray()
            yield from self._pour.put_steps(memoryview(data))

    def _check_whole(self) -> None:
        if self._failed is not None:
            raise ProgrammingError(
                "OG-COPY-015",
                "this COPY has failed: nothing more can be written to it",
                cure="leave its `with` block; nothing of it stays",
            ) from self._failed

    def _whole_form(self, given: Sequence[str]) -> LoadFormat:
        """The format with the columns of its `*` named."""
        form = self._form
        every = frozenset(given)
        return replace(
            form,
            force_null=every if "*" in form.force_null else form.force_null,
            force_not_null=every if "*" in form.force_not_null else form.force_not_null,
        )

    def _check(self, target: LoadTable, given: Sequence[str], shards: int) -> None:
        """What several servers could not do as one."""
        options = self._command.options
        if self._command.on("freeze"):
            raise _refused("FREEZE", "the table would have to be made in the same transaction", "leave FREEZE out")
        if shards > 1 and sharded(target) and str(options.get("on_error", "stop")) != "stop":
            raise _refused("ON_ERROR", "a row whose key cannot be read has no shard to ignore it", "correct the rows")
        missing = [] if not sharded(target) else [name for name in _keys(target) if name not in given]
        if missing:
            raise ProgrammingError(
                "OG-COPY-005",
                f"the COPY does not give {missing[0]}, by which {target.name} is sharded",
                cure="name it among the columns: without it no row can be placed",
            )
        if not sharded(target) and shards > 1 and may_differ(self._command.condition):
            raise _refused("WHERE", "its condition may differ from copy to copy", "filter the rows before")


def _keys(target: LoadTable) -> tuple[str, ...]:
    return getattr(target.placement, "columns", ())


def _refused(what: str, why: str, cure: str) -> Error:
    return NotSupportedError("OG-COPY-006", f"{what} is not for several shards: {why}", cure=cure)
