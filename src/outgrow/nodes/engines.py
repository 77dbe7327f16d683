"""How links of a domain's engine are opened: the only place of this room that knows that there are several."""

from __future__ import annotations

from collections.abc import Callable

from outgrow import errors
from outgrow.nodes.connect import link_steps
from outgrow.nodes.link import Link
from outgrow.nodes.settings import LinkSettings
from outgrow.topology import Node
from outgrow.waits import Steps

Opening = Callable[[Node, LinkSettings, dict[int, str], float | None], Steps[Link]]


def opening(engine: str) -> Opening:
    """`link_steps` of the engine; its driver is imported by the first who needs it."""
    if engine == "postgresql":
        return link_steps
    try:
        from outgrow.nodes.mariadb import mariadb_link_steps
    except ImportError as error:
        raise errors.ConfigurationError(
            "OG-NODE-029", f"the driver for {engine} is not installed: {error}", cure='pip install "outgrow[mariadb]"'
        ) from None
    return mariadb_link_steps
