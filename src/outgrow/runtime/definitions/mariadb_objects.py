"""A MariaDB server's objects, as it spells them itself."""

from __future__ import annotations

from outgrow import schema
from outgrow.errors import Error
from outgrow.nodes import Asked, Link
from outgrow.schema import Objects
from outgrow.waits import Steps


def read_steps(link: Link) -> Steps[Objects]:
    """All that is compared.  (There is no snapshot of definitions: DDL meanwhile may show halfway.)"""
    queries = schema.catalogue("mariadb").objects
    names = yield from link.run_steps(queries["object_tables"], None)
    asked: list[Asked] = [("SHOW CREATE TABLE `" + name.replace("`", "``") + "`", None) for (name,) in names.rows]
    tables = {}
    for (name,), answer in zip(names.rows, (yield from link.run_many_steps(asked)), strict=True):
        if isinstance(answer, Error):
            raise answer
        tables[name] = answer.rows[0][1]
    views = yield from link.run_steps(queries["object_views"], None)
    others = yield from link.run_steps(queries["object_others"], None)
    return schema.mariadb_objects(tables, views.rows, others.rows)
