"""The way to what moves rows in bulk, imported when rows are first moved.

numpy comes with it: a seventh of what the start of a process takes, and most processes never move rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.moving import Loaded, LoadFormat, LoadOptions, Progress
    from outgrow.runtime.bulk.copying import Copying
    from outgrow.runtime.bulk.unloading import Unloaded
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Parameters


def open_copy(conversation: Conversation, sql: str, parameters: Parameters) -> Copying:
    from outgrow.runtime.bulk.copying import Copying

    return Copying(conversation, sql, parameters)


def load_steps(
    conversation: Conversation,
    source: BinaryIO,
    table: str,
    form: LoadFormat | None,
    options: LoadOptions | None,
    progress: Progress | None,
) -> Steps[Loaded]:
    """CSV into an empty table, unless told otherwise."""
    from outgrow.moving import LoadFormat, LoadOptions
    from outgrow.runtime.bulk import loading

    return loading.run_steps(conversation, source, table, form or LoadFormat(), options or LoadOptions(), progress)


def unload_steps(
    conversation: Conversation, what: str, file: BinaryIO, form: LoadFormat | None, progress: Progress | None
) -> Steps[Unloaded]:
    """CSV, unless told otherwise."""
    from outgrow.moving import LoadFormat
    from outgrow.runtime.bulk import unloading

    return unloading.run_steps(conversation, what, file, form or LoadFormat(), progress)
