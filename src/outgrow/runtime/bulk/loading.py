"""Bulk load within a session: the file goes to the shards in one transaction, and the session sees what it loaded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from outgrow.moving import (
    Loaded,
    LoadFormat,
    LoadOptions,
    Progress,
    load_steps,
    open_source,
    shards_of,
    target_of,
)
from outgrow.runtime.bulk.targets import numbering, target_steps
from outgrow.runtime.directories import directory
from outgrow.runtime.transaction.surrounding import Surrounding
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def run_steps(
    conversation: Conversation,
    source: BinaryIO,
    table: str,
    form: LoadFormat,
    options: LoadOptions,
    progress: Progress | None,
) -> Steps[Loaded]:
    """Load a file into `table` (`name` or `schema.name`) on every shard it concerns."""
    state = conversation.state
    if state.stale:
        yield from state.refresh_steps(None)
    schema_name, _, name = table.rpartition(".")
    found, target = yield from target_steps(conversation, name, schema_name or None)
    picture = state.picture
    shards = shards_of(target, picture.placer)
    opened = open_source(source, target, form, options, lambda names: numbering(state, found, target, names, form))
    surrounding = Surrounding(conversation)
    try:
        listed = directory.lists(picture.placer, target)
        links = yield from surrounding.links_steps(shards, picture.placer if listed else None)
        targets = {shard: target_of(link, opened.layout) for shard, link in zip(shards, links, strict=True)}
        look_up = partial(directory.assign_steps, state, picture.placer)
        loaded = yield from load_steps(source, opened, targets, picture.placer, options, progress, look_up)
    except GeneratorExit:
        surrounding.abandon()
        raise
    except BaseException as error:
        yield from surrounding.failed_steps(error)
        raise
    yield from surrounding.done_steps()
    return loaded
