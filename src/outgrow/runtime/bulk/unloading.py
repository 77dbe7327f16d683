"""A table or a query's rows into a file, over all shards."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from outgrow.errors import InterfaceError
from outgrow.runtime import bulk
from outgrow.statement import name_sql
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.moving import LoadFormat
    from outgrow.runtime.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Unloaded:
    """What an unload wrote."""

    rows: int
    size_bytes: int


def run_steps(
    conversation: Conversation,
    what: str,
    file: BinaryIO,
    form: LoadFormat,
    progress: Callable[[int, int | None], None] | None,
) -> Steps[Unloaded]:
    """Write the rows of a table (`name` or `schema.name`) or of a query to `file`."""
    copying = bulk.open_copy(conversation, _copy_of(conversation, what, form), None)
    size = 0
    yield from copying.enter_steps()
    try:
        while block := (yield from copying.read_steps()):
            file.write(block)
            size += len(block)
            if progress is not None:
                progress(size, None)
    except BaseException as error:
        yield from copying.leave_steps(error)
        raise
    yield from copying.leave_steps(None)
    return Unloaded(copying.count, size)


@contextmanager
def written(target: str | Path | BinaryIO) -> Iterator[BinaryIO]:
    """Where to write.  A path has its new content once that is complete, and its old one, or nothing, until then."""
    if not isinstance(target, (str, Path)):
        yield target
        return
    path = Path(target)
    direct = path.exists() and not path.is_file()
    beside = path if direct else path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = beside.open("wb")
    except OSError as error:
        raise InterfaceError(
            "OG-RUN-046", f"{path} cannot be written: {error.strerror}", cure="give a path in a writable directory"
        ) from error
    try:
        with file:
            yield file
            if not direct:
                file.flush()
                os.fsync(file.fileno())
        if not direct:
            beside.replace(path)
    except BaseException:
        if not direct:
            with suppress(OSError):
                beside.unlink()
        raise


def _copy_of(conversation: Conversation, what: str, form: LoadFormat) -> str:
    """The COPY of a table where there is one of that name, else of the query that it must be."""
    options = form.options + (", HEADER" if form.header and form.kind != "binary" else "")
    schema, _, name = what.rpartition(".")
    found = conversation.state.picture.schema.find(name, schema or None)
    if found is None and len(what.split()) > 1:
        # On a line of its own, because the query may end in a comment.
        return f"COPY ({what.rstrip().rstrip(';')}\n) TO STDOUT ({options})"
    named = (schema, name) if found is None else (found.name.schema, found.name.name)
    return f"COPY {'.'.join(name_sql(part) for part in named if part)} TO STDOUT ({options})"
