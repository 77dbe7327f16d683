"""Random UPDATEs, DELETEs, moved keys, writing CTEs, locks and TRUNCATE."""

from __future__ import annotations

from tests.differential.stories.parts import Parts
from tests.differential.stories.tables import COPIED, SHARDED, Kept

#: Joined on their whole key.
PARTNERS = {"orders": "customers", "carts": "orders", "items": "orders", "customers": "carts"}
LOCKS = ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")
#: (written, what it gives, the other table, its columns, the values from the first)
FLOWS = (
    ("orders", "customer_id, rid, total", "carts", "customer_id, rid, amount", "customer_id, rid, 5"),
    ("carts", "*", "orders", "customer_id, rid, qty", "customer_id, rid + 400, amount"),
    ("items", "*", "carts", "rid, customer_id", "rid + 600, customer_id"),
    ("docs", "slug, rid, title", "docs", "slug, rid, title", "slug, rid + 700, title"),
    ("events", "device, sort, rid", "events", "sort, device, rid", "sort, device, rid + 700"),
    # The key does not go along.
    ("orders", "customer_id, rid, total", "carts", "customer_id, rid, amount", "rid, customer_id, 5"),
    ("items", "*", "carts", "customer_id, rid", "customer_id + 1, rid"),
)
#: Key column → what it may be given, in SQL.
MOVES = {
    "customer_id": ("customer_id + 1", "customer_id", "40 - customer_id", "rid", "abs(customer_id - 7) + 1", "NULL"),
    "slug": ("slug || 'x'", "'doc-1'", "lower(slug)", "NULL", "title", "coalesce(slug, 'none')"),
    "device": ("device + 1", "device", "n", "-device", "NULL"),
    "sort": ("'temp'", "upper(sort)", "NULL", "sort || sort"),
    "token": ("NULL", "token", "'00000000-0000-0001-2345-6789abcdef01'", "md5(rid::text)::uuid"),
    "day": ("day + 1", "'2024-01-01'", "NULL", "(day + interval '1 month')::date", "DEFAULT"),
}


class Changes:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.rng = parts.rng

    def updated(self) -> tuple[str, str]:
        kept = self.parts.any()
        if kept.name in PARTNERS and self.parts.x.chance(0.2):
            return self._from(kept), "none"
        sets = ", ".join(self.parts.assignments(kept))
        return f"UPDATE {kept.name} SET {sets}{self.parts.where(kept)}{self.parts.returning(kept)}", "none"

    def _from(self, kept: Kept) -> str:
        """UPDATE … FROM a partner by key, or a copied table; every row meets at most one, so nothing is by chance."""
        parts = self.parts
        if kept.name == "orders" and parts.x.chance(0.4):
            where = parts.where(kept, "t.").replace(" WHERE ", " AND ")
            return (
                "UPDATE orders t SET status = p.title FROM products p WHERE p.product_id = t.product_id"
                f"{where}{parts.returning(kept, 't.')}"
            )
        other = PARTNERS[kept.name]
        only = "" if other == "customers" else " AND o.rid = t.rid"
        free = [col for col in kept.tab.cols if col.name not in ("rid", "parent", *kept.tab.key)]
        col = self.rng.choice(free)
        where = parts.where(kept, "t.").replace(" WHERE ", " AND ")
        return (
            f"UPDATE {kept.name} AS t SET {col.name} = {parts.assigned(kept, col, 't')} FROM {other} o "
            f"WHERE o.customer_id = t.customer_id{only}{where}{parts.returning(kept, 't.')}"
        )

    def deleted(self) -> tuple[str, str]:
        parts = self.parts
        kept = parts.any()
        if kept.name in PARTNERS and parts.x.chance(0.2):
            where = parts.where(kept, "t.").replace(" WHERE ", " AND ")
            on = f"o.customer_id = t.customer_id{where}"
            return f"DELETE FROM {kept.name} t USING {PARTNERS[kept.name]} o WHERE {on}{parts.returning(kept, 't.')}", (
                "none"
            )
        return f"DELETE FROM {kept.name}{parts.where(kept) or ' WHERE rid < 5'}{parts.returning(kept)}", "none"

    def moved(self) -> tuple[str, str]:
        """UPDATE of key columns."""
        parts = self.parts
        kept = self.rng.choice(SHARDED)
        keys = self.rng.sample(kept.tab.key, self.rng.randint(1, len(kept.tab.key)))
        sets = []
        for key in keys:
            col = kept.tab.col(key)
            sets.append(f"{key} = {parts.constant(col) if parts.x.chance(0.4) else self.rng.choice(MOVES[key])}")
        if parts.x.chance(0.4):
            sets += parts.assignments(kept, 1)
        if parts.x.chance(0.2) and kept.name != "customers":
            sets.append("rid = rid + 1000")
        self.rng.shuffle(sets)
        return f"UPDATE {kept.name} SET {', '.join(sets)}{parts.where(kept)}{parts.returning(kept)}", "none"

    def locked(self) -> tuple[str, str]:
        kept = self.parts.any()
        lock = self.rng.choice(LOCKS)
        if self.parts.x.chance(0.4):
            return f"SELECT * FROM {kept.name}{self.parts.where(kept)} ORDER BY rid FOR {lock}", "keys"
        return f"SELECT rid, {kept.tab.cols[1].name} FROM {kept.name}{self.parts.where(kept)} FOR {lock}", "none"

    def read(self) -> tuple[str, str]:
        kept = self.parts.any()
        return self.rng.choice((f"SELECT * FROM {kept.name}", f"SELECT count(*), max(rid) FROM {kept.name}")), "none"

    def truncated(self) -> tuple[str, str]:
        return self.rng.choice(
            (
                "TRUNCATE days", "TRUNCATE carts, docs", "TRUNCATE TABLE events", "TRUNCATE customers",
                "TRUNCATE customers CASCADE", "TRUNCATE products CASCADE", "TRUNCATE sittings RESTART IDENTITY",
            )
        ), "none"  # fmt: skip

    def cte(self) -> tuple[str, str]:
        """Statements with writing parts."""
        forms = (self._flow, self._flow, self._shown, self._both, self._born, self._reads, self._copied)
        return self.rng.choice(forms)(), "none"

    def _writing(self, kept: Kept, given: str) -> str:
        where = self.parts.where(kept) or " WHERE rid < 9"
        if self.parts.x.chance(0.6):
            return f"DELETE FROM {kept.name}{where} RETURNING {given}"
        return f"UPDATE {kept.name} SET {self.parts.assignments(kept, 1)[0]}{where} RETURNING {given}"

    def _flow(self) -> str:
        source, given, target, names, items = self.rng.choice(FLOWS)
        writing = self._writing(self.parts.other(source), given)
        returning = self.parts.returning(self.parts.other(target))
        conflict = self.rng.choice(("", " ON CONFLICT DO NOTHING"))
        return f"WITH gone AS ({writing}) INSERT INTO {target} ({names}) SELECT {items} FROM gone{conflict}{returning}"

    def _shown(self) -> str:
        kept = self.rng.choice(SHARDED)
        shown = self.rng.choice(("*", "count(*)", "rid", f"{kept.tab.key[0]}, rid + 1 AS next"))
        return f"WITH gone AS ({self._writing(kept, '*')}) SELECT {shown} FROM gone"

    def _both(self) -> str:
        """Rows of two tables by one key."""
        one, two = self.rng.choice(
            (("orders", "carts"), ("carts", "items"), ("items", "orders"), ("carts", "customers"))
        )
        kept, other = self.parts.other(one), self.parts.other(two)
        writing = self._writing(kept, "customer_id, rid")
        if self.parts.x.chance(0.5) and two != "customers":
            return (
                f"WITH gone AS ({writing}) DELETE FROM {two} o USING gone WHERE o.customer_id = gone.customer_id"
                f"{self.parts.returning(other, 'o.')}"
            )
        sets = self.parts.assignments(other, 1)[0]
        return (
            f"WITH gone AS ({writing}) UPDATE {two} SET {sets} "
            f"WHERE customer_id IN (SELECT g.customer_id FROM gone g){self.parts.returning(other)}"
        )

    def _born(self) -> str:
        """A row and what hangs on it, in one statement."""
        rows = ", ".join(
            f"({self.rng.randint(25, 60)}, {self.parts.rid()}, 'n')" for _ in range(self.rng.choice((1, 1, 2, 3)))
        )
        return (
            f"WITH born AS (INSERT INTO customers (customer_id, rid, name) VALUES {rows} RETURNING customer_id, rid) "
            "INSERT INTO carts (customer_id, rid) SELECT customer_id, rid FROM born RETURNING customer_id, rid, amount"
        )

    def _reads(self) -> str:
        """A CTE that only reads, before a write."""
        kept = self.parts.other(self.rng.choice(("orders", "carts", "items")))
        where = self.parts.where(kept)
        return (
            f"WITH few AS (SELECT customer_id, rid FROM {kept.name}{where}) DELETE FROM {kept.name} t USING few "
            f"WHERE few.customer_id = t.customer_id AND few.rid = t.rid RETURNING t.rid"
        )

    def _copied(self) -> str:
        kept = self.rng.choice(COPIED)
        return (
            f"WITH upped AS (UPDATE {kept.name} SET rid = rid + 1{self.parts.where(kept)} RETURNING *) "
            f"SELECT {self.rng.choice(('*', 'count(*)', 'rid'))} FROM upped"
        )
