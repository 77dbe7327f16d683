"""Typed random expressions of MariaDB over the table orders, as o, and the values that its rows are made of."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from decimal import Decimal

from tests.differential.block import hole

#: Some are equal by a collation, or but for blanks at their end.
NAMES = (
    *(
        "ann",
        "Ann",
        "Bob",
        "bob",
        "BOB",
        "bob ",
        "béa",
        "BEA",
        "zoé",
        "a b",
        "it's",
        "\\back",
        "",
        " ",
        "ñ",
        "n",
        "名前",
    ),
    *("🙂", "ss", "ß", "tab\t", "tab", "Tab", "aA", "Aa"),
)
KINDS = ("small", "Large", "medium")
IDS = 200


class Draw:
    """One statement's text with holes, and its parameters."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.values: list[object] = []
        self.by_parameter = chance.random() < 0.3
        #: Under DISTINCT, GROUP BY and aggregates text of these columns is refused; so it is drawn less often.
        self.ranked = chance.random() < 0.5

    def one(self, *options: str) -> str:
        return self.chance.choice(options)

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def value(self, value: object, text: str) -> str:
        """A constant: as text, or as a parameter where this statement has those."""
        if not self.by_parameter or self.often(0.3):
            return text
        self.values.append(value)
        return hole(len(self.values) - 1)

    # -- constants ----------------------------------------------------------------------------------------------------

    def number(self, low: int = -50, high: int = 50) -> str:
        number = self.chance.randrange(low, high)
        return self.value(number, str(number))

    def id(self) -> str:
        """A key, in each form that a program could write it."""
        number = self.chance.randrange(IDS + 10)
        forms: list[tuple[object, str]] = [(number, str(number))] * 8
        forms += [(float(number), f"{number}.0"), (str(number), f"'{number}'"), (Decimal(number), f"{number}.00")]
        forms += [(number + 0.5, f"{number}.5"), (f" {number}", f"' {number}'"), (True, "TRUE"), (None, "NULL")]
        forms += [
            (f"{number}abc", f"'{number}abc'"),
            (-number, f"-{number}"),
            (1 << 63, str(1 << 63)),
            (number, f"{number}e0"),
        ]
        return self.value(*self.chance.choice(forms))

    def name(self) -> str:
        name = self.chance.choice(NAMES)
        escaped = name.replace("\\", "\\\\").replace("'", "''")
        return self.value(
            name, f'"{name}"' if self.often(0.1) and '"' not in name and "\\" not in name else f"'{escaped}'"
        )

    def date(self) -> str:
        day = datetime.date(2024, 1, 1) + datetime.timedelta(self.chance.randrange(700))
        return self.value(day, f"'{day}'")

    def moment(self) -> str:
        moment = datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=self.chance.randrange(20_000))
        return self.value(moment, f"'{moment}'")

    # -- expressions over orders o ------------------------------------------------------------------------------------

    def whole(self, depth: int = 0) -> str:
        if depth > 2 or self.often(0.4):
            return self.one("o.n", "o.region", "o.id", "n", "region", "o.`n`")
        deeper = depth + 1
        pick: list[Callable[[], str]] = [
            lambda: f"{self.whole(deeper)} {self.one('+', '-', '*')} {self.number(1, 9)}",
            lambda: f"({self.whole(deeper)} {self.one('%', 'MOD', 'DIV', 'div')} {self.number(2, 9)})",
            lambda: f"{self.whole(deeper)} DIV {self.number(2, 9)} * {self.number(1, 4)}",
            lambda: f"CAST({self.one('total', 'n', 'note', 'ratio')} AS SIGNED)",
            lambda: self.one("EXTRACT(YEAR FROM day)", "TIMESTAMPDIFF(HOUR, at, made)", "JSON_EXTRACT(doc, '$.a')"),
            lambda: self.one("N", "Region", "o.ID", "JSON_LENGTH(doc)", "POSITION('b' IN customer)", "LENGTH (note)"),
            lambda: f"MOD({self.whole(deeper)}, {self.number(2, 9)})",
            lambda: f"ABS({self.whole(deeper)})",
            lambda: f"IFNULL({self.whole(deeper)}, {self.number()})",
            lambda: f"COALESCE({self.whole(deeper)}, {self.whole(deeper)}, 0)",
            lambda: f"IF({self.condition(deeper)}, {self.whole(deeper)}, {self.number()})",
            lambda: f"CASE WHEN {self.condition(deeper)} THEN {self.number(0, 3)} ELSE {self.number(3, 6)} END",
            lambda: (
                f"CASE {self.one('region', 'n')} WHEN {self.number(0, 5)} THEN 1 WHEN {self.number(0, 5)} THEN NULL END"
            ),
            lambda: self.one("YEAR(day)", "MONTH(made)", "DAYOFWEEK(day)", "QUARTER(day)", "HOUR(at)", "LENGTH(note)"),
            lambda: self.one("CHAR_LENGTH(customer)", "ASCII(customer)", "FIELD(customer, 'bob', 'ann')", "SIGN(n)"),
            lambda: f"DATEDIFF(day, {self.date()})",
            lambda: f"-{self.one('n', 'o.region', 'id')}",
            lambda: f"({self.condition(deeper)})",
            lambda: f"NULLIF({self.whole(deeper)}, {self.number()})",
            lambda: f"GREATEST({self.one('n', 'id')}, {self.number()})",
        ]
        return self.chance.choice(pick)()

    def decimal(self) -> str:
        return self.one(
            "total", "o.total", "total * 2", f"total + {self.number()}", "ROUND(total, 1)", "total - n", "n / 3",
            "ABS(total)", "IFNULL(total, 0)", "total * 1.5", "TRUNCATE(total, 1)", "ROUND(n / 7, 3)", "rate",
            "rate * total",
        )  # fmt: skip

    def text(self) -> str:
        exact = ("customer", "o.customer", "UPPER(customer)", "LEFT(customer, 2)", "CONCAT(customer, '!')",
                 "TRIM(customer)",
                 "DATE_FORMAT(day, '%Y-%m')", "kind", "MONTHNAME(day)", "IFNULL(customer, 'none')",
                 "CASE WHEN n > 0 THEN 'more' ELSE 'less' END", "IF(n > 3, 'Yes', 'yes')", "HEX(n)")  # fmt: skip
        ranked = ("note", "memo", "word", "short", "LOWER(note)", "SUBSTR(note, 2)")
        forms = ("note COLLATE utf8mb4_nopad_bin", "TRIM(LEADING 'b' FROM customer)", "SUBSTRING(customer FROM 2)",
                 "CAST(n AS CHAR)", "JSON_VALUE(doc, '$.b')", "JSON_UNQUOTE(JSON_EXTRACT(doc, '$.b'))")  # fmt: skip
        return self.one(*(exact if not self.ranked or self.often(0.6) else ranked if self.often(0.7) else forms))

    def time(self) -> str:
        return self.one("day", "made", "o.made", "at", "stamp", "DATE(made)", "LAST_DAY(day)", "clock",
                        f"day + INTERVAL {self.number(1, 9)} DAY", "DATE_ADD(made, INTERVAL n HOUR)",
                        "CAST(made AS DATE)", "DATE_SUB(day, INTERVAL 1 MONTH)",
                        "made - INTERVAL 90 MINUTE")  # fmt: skip

    def any(self) -> str:
        pick = self.chance.choice(
            [self.whole, self.whole, self.decimal, self.text, self.time, lambda: self.one("ratio", "u")]
        )
        return pick()

    # -- conditions ---------------------------------------------------------------------------------------------------

    def condition(self, depth: int = 0) -> str:
        if depth < 2 and self.often(0.25):
            one, other = self.condition(depth + 1), self.condition(depth + 1)
            return self.one(f"({one} AND {other})", f"({one} OR {other})", f"NOT ({one})", f"({one}) IS TRUE")
        pick: list[Callable[[], str]] = [
            lambda: f"{self.whole(2)} {self.one('=', '<', '<=', '>', '>=', '<>', '!=')} {self.number()}",
            lambda: f"{self.one('n', 'region', 'customer', 'note', 'day')} IS {self.one('NULL', 'NOT NULL')}",
            lambda: f"{self.one('n', 'total', 'id')} {self.one('', 'NOT ')}BETWEEN {self.number()} AND {self.number()}",
            lambda: f"{self.one('region', 'n')} {self.one('IN', 'NOT IN')} ({self.number(0, 5)}, {self.number()}, 3)",
            lambda: f"{self.one('customer', 'note', 'memo', 'word')} {self.one('=', '<>', '<', '>=')} {self.name()}",
            lambda: f"{self.one('customer', 'note')} {self.one('LIKE', 'NOT LIKE')} '{self.one('b%', '%b_', 'B%')}'",
            lambda: f"{self.one('customer', 'note')} IN ({self.name()}, {self.name()})",
            lambda: f"day {self.one('<', '>=')} {self.date()}",
            lambda: f"made {self.one('<', '>=')} {self.moment()}",
            lambda: f"total {self.one('>', '<=')} {self.one('10.5', '0', '-3.25')}",
            lambda: f"(region, n) = ({self.number(0, 5)}, {self.number(0, 9)})",
            lambda: f"ratio {self.one('>', '<')} {self.one('0', '1.5', '1e0')}",
            lambda: f"kind = '{self.one('small', 'LARGE')}'",
            lambda: f"{self.one('n', 'customer', 'region')} <=> {self.one('NULL', '3', 'region', 'memo')}",
            lambda: f"{self.one('customer', 'note')} {self.one('REGEXP', 'NOT REGEXP', 'RLIKE')} '^b'",
            lambda: f"{self.condition(2)} {self.one('&&', '||')} {self.condition(2)}",
            lambda: f"day > {self.date()} - INTERVAL {self.number(1, 90)} DAY",
            lambda: f"({self.condition(2)}) = ({self.condition(2)})",
            lambda: f"customer {self.one('=', '<')} {self.name()} COLLATE utf8mb4_general_ci",
            lambda: self.one("customer <> note", "n", "NOT n", "n > region", "customer = memo", "TRUE", "IF(n, 1, 0)"),
        ]
        return self.chance.choice(pick)()

    def keyed(self) -> str:
        """A condition on the key, of one value or of some."""
        return self.one(
            f"id = {self.id()}", f"{self.id()} = o.id", f"id IN ({self.id()}, {self.id()}, {self.id()})",
            f"id = {self.id()} OR id = {self.id()}", f"id BETWEEN {self.id()} AND {self.id()}", f"id > {self.id()}",
            f"(id, n) = ({self.id()}, {self.number()})", f"(id, region) IN (({self.id()}, 1), ({self.id()}, 2))",
            f"NOT (id <> {self.id()})", f"id + 0 = {self.id()}", f"id = {self.id()} AND {self.condition()}",
            f"id = {self.id()} AND id = {self.id()}", f"id IS NULL OR id = {self.id()}",
        )  # fmt: skip

    def where(self) -> str:
        if self.often(0.35):
            return ""
        parts = [self.keyed() if self.often(0.3) else self.condition() for _ in range(1 + self.often(0.3))]
        return " WHERE " + " AND ".join(f"({part})" if " OR " in part else part for part in parts)

    # -- aggregates ---------------------------------------------------------------------------------------------------

    def aggregate(self) -> str:
        argument = self.chance.choice([self.whole, self.whole, self.decimal, lambda: "ratio"])
        pick: list[Callable[[], str]] = [
            lambda: "COUNT(*)",
            lambda: f"COUNT({self.any()})",
            lambda: f"SUM({argument()})",
            lambda: f"AVG({argument()})",
            lambda: f"{self.one('MIN', 'MAX')}({self.any()})",
            lambda: f"COUNT(DISTINCT {self.any()})",
            lambda: f"{self.one('SUM', 'AVG')}(DISTINCT {self.one('n', 'region', 'total', 'n % 5')})",
            lambda: f"{self.one('BIT_AND', 'BIT_OR', 'BIT_XOR')}({self.one('n', 'region', 'id')})",
            lambda: f"SUM({self.condition(2)})",
            lambda: self.one("STDDEV(n)", "GROUP_CONCAT(n)", "VARIANCE(total)", "JSON_ARRAYAGG(n)"),
        ]
        weights = [4, 3, 6, 4, 5, 3, 2, 1, 2, 0.4]
        return self.chance.choices(pick, weights)[0]()

    def number_of(self) -> str:
        """An aggregate that is a number."""
        return self.one("COUNT(*)", "SUM(n)", "SUM(total)", "MAX(n)", "MIN(region)", "AVG(n)", "AVG(total)", "COUNT(n)",
                        "SUM(n * total)", "MAX(total)", "SUM(rate)")  # fmt: skip

    def computed(self, depth: int = 0) -> str:
        """Computed from aggregates."""
        one, other = self.number_of(), self.number_of()
        if depth < 2 and self.often(0.3):
            one = f"({self.computed(depth + 1)})"
        return self.one(
            f"{one} / {other}", f"{one} + {other}", f"{one} - {self.number(0, 9)}", f"{one} * {other}", f"{one} * 1.5",
            f"ROUND({one}, {self.one('0', '1', '2', '4')})", f"ROUND({one} / {other}, 2)", f"COALESCE({one}, 0)",
            f"IFNULL({one}, {other})", f"IF({self.having(2)}, {one}, {other})", f"IF({self.having(2)}, 'many', 'few')",
            f"CASE WHEN {self.having(2)} THEN {one} ELSE 0.5 END", f"NULLIF({one}, {self.number(0, 9)})", f"-{one}",
            f"100 * {one} / {other}", f"ABS({one})", f"GREATEST({one}, {other})", f"{one} % 7", f"{self.having(2)}",
            f"{one} / {self.number(1, 9)} / 3", f"{one} / 7 * {other}", f"TRUNCATE({one}, 1)", f"COUNT(*) % 3 + {one}",
        )  # fmt: skip

    def having(self, depth: int = 0) -> str:
        if depth < 2 and self.often(0.25):
            one, other = self.having(depth + 1), self.having(depth + 1)
            return self.one(f"({one} AND {other})", f"({one} OR {other})", f"NOT ({one})")
        one = self.number_of()
        return self.one(
            f"{one} > {self.number()}", f"{one} <= {self.number()}", f"{one} = {self.number(0, 9)}",
            f"{one} IS NOT NULL",
            f"{one} BETWEEN {self.number()} AND 90", f"{one} IN (1, 2, 3, 4)", f"{one} > {self.number_of()}",
            f"{one} / COUNT(*) > 1.5", f"MIN(day) < {self.date()}", "AVG(n) > 0.3333", f"MAX(made) >= {self.moment()}",
        )  # fmt: skip

    def key(self) -> str:
        """Something to group by."""
        exact = ("region", "customer", "kind", "n % 5", "YEAR(day)", "DATE_FORMAT(day, '%Y-%m')", "UPPER(customer)",
                 "day", "total", "id", "LEFT(customer, 1)", "IFNULL(region, -1)", "n > 3", "made", "o.n", "MONTH(made)",
                 "ratio",
                 "CASE WHEN n > 0 THEN 'more' ELSE 'less' END", "region + 1", "u")  # fmt: skip
        return self.one(*exact) if self.often(0.93) else self.one("note", "memo", "word", "n / 3", "stamp", "clock")
