"""Words that are keywords only in some places are judged by their neighbours, as PostgreSQL's grammar would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from outgrow.statement import rewrites
from outgrow.statement.keywords import RESERVED
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.quoting import name_sql
from outgrow.statement.tree import Literal, Template
from outgrow.statement.unvetted import Unvetted

if TYPE_CHECKING:
    from outgrow.statement.disguise import Disguise


def _constant_word(d: Disguise, at: int) -> int:
    word = d.tokens[at].value
    if d.says(at - 1, "is") or d.says(at - 2, "is", "not"):
        d.out.append(word.upper())
    else:
        kind = "null" if word == "null" else "boolean"
        d.emit_constant(Literal(kind, word.upper() if kind == "null" else word))
    return at + 1


def _default(d: Disguise, at: int) -> int:
    if d.says(at + 1, "values"):
        d.out.append("DEFAULT VALUES")
        return at + 2
    if d.token_at(at - 1).text not in ("(", ",", "="):
        raise Unvetted("DEFAULT here")
    d.emit_constant(Template(("DEFAULT",), ()))
    return at + 1


def _as(d: Disguise, at: int) -> int:
    before, after = d.token_at(at - 1), d.token_at(at + 1)
    named = d.operand_before(at) or before.text == "*" or before.kind is Lex.QUOTED
    if not named or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "("):
        raise Unvetted("this AS")
    d.out.append("AS")
    return at + 1


def _from(d: Disguise, at: int) -> int:
    """The parser knows queries that begin with FROM."""
    if at == 0 or d.token_at(at - 1).text == "(":
        raise Unvetted("FROM without SELECT")
    d.keyword("from")
    return at + 1


def _in(d: Disguise, at: int) -> int:
    if d.token_at(at + 1).text != "(":
        raise Unvetted("IN without parentheses")
    d.out.append("IN")
    return at + 1


def _join(d: Disguise, at: int) -> int:
    """JOIN alone becomes INNER JOIN, so that it differs from a comma even where ON is missing."""
    bare = not any(d.says(at - 1, word) for word in ("inner", "outer", "left", "right", "full", "cross"))
    natural = d.says(at - 1, "natural")
    d.out.append("INNER JOIN" if bare and not natural else "JOIN")
    return at + 1


def _by(d: Disguise, at: int) -> int:
    if not (d.says(at - 1, "group") or d.says(at - 1, "order")):
        return 0
    after = d.token_at(at + 1)
    ends = after.kind is Lex.WORD and after.value in ("having", "order", "limit", "window", "union", "offset")
    if ends or after.text == "" or after.text == ")":
        raise Unvetted("BY nothing")
    d.out.append("BY")
    return at + 1


def _quantifier(d: Disguise, at: int) -> int:
    """ANY, SOME and ALL after an operator and before a parenthesis; UNION ALL otherwise."""
    word, before = d.tokens[at].value, d.token_at(at - 1)
    compared = before.kind is Lex.OP or d.says(at - 1, "like") or d.says(at - 1, "ilike")
    if d.token_at(at + 1).text == "(" and (compared or (before.text == ")" and _is_operator_close(d, at - 1))):
        d.out.append('"og$all"' if word == "all" else '"og$any"')
        return at + 1
    if word != "all":
        raise Unvetted(f"{word.upper()} without a comparison")
    if d.says(at - 1, "limit"):
        d.out.pop()
        return at + 1
    d.out.append("ALL")
    return at + 1


def _is_operator_close(d: Disguise, at: int) -> bool:
    """The parenthesis at `at` ends `OPERATOR(…)`."""
    opening = next((o for o, c in d.closers.items() if c == at), -1)
    return d.says(opening - 1, "operator")


def _before_parenthesis(d: Disguise, at: int) -> int:
    """EXISTS, ROW: functions of the parser's; VALUES."""
    word = d.tokens[at].value
    if word == "row" and rewrites.offset_rows(d, at):
        return at + 1
    if d.token_at(at + 1).text != "(":
        return 0
    if word == "values":
        d.keyword(word)
    else:
        d.out.append(f'"og${word}"')
    return at + 1


def _array_word(d: Disguise, at: int) -> int:
    if d.token_at(at + 1).text == "[":
        return d.array(at + 1)
    if d.token_at(at + 1).text == "(":
        d.out.append('"og$sub"')
        return at + 1
    raise Unvetted("ARRAY without brackets")


def _operator_word(d: Disguise, at: int) -> int:
    if d.token_at(at + 1).text != "(":
        return 0
    close = d.close(at + 1)
    *names, symbol = d.tokens[at + 2 : close] or [d.tokens[at]]
    qualified = all((n.text == ".") if i % 2 else n.kind in (Lex.WORD, Lex.QUOTED) for i, n in enumerate(names))
    if symbol.kind is not Lex.OP or not qualified or len(names) % 2:
        raise Unvetted("this OPERATOR()")
    d.not_values.add(close)
    text = "".join(token.text if token.kind is Lex.OP else _part(token) for token in d.tokens[at + 2 : close])
    return d.other_operator(at, f"operator({text})", close + 1)


def _collate(d: Disguise, at: int) -> int:
    names, at = [], at + 1
    if d.token_at(at).kind is Lex.WORD and d.tokens[at].value in RESERVED:
        raise Unvetted("COLLATE without a collation")  # the server can take the word for a column's alias
    while d.token_at(at).kind in (Lex.WORD, Lex.QUOTED):
        names.append(name_sql(d.tokens[at].value))
        at += 1
        if d.token_at(at).text != ".":
            break
        at += 1
    d.out.append(f'COLLATE "og$c{len(d.collations)}"')
    d.collations.append(".".join(names))
    return at


def _escape(d: Disguise, at: int) -> int:
    if not d.operand_before(at) or d.token_at(at + 1).kind not in (Lex.STRING, Lex.PARAM):
        return 0
    return d.other_operator(at, "escape", at + 1)


def _null_test(d: Disguise, at: int) -> int:
    d.out.append("IS NULL" if d.tokens[at].value == "isnull" else "IS NOT NULL")
    return at + 1


def _at_time_zone(d: Disguise, at: int) -> int:
    if not d.says(at, "at", "time", "zone"):
        return 0
    d.out.append("AT TIME ZONE")
    return at + 3


def _pair(d: Disguise, at: int) -> int:
    """Two words that are keywords only together."""
    word, after = d.tokens[at].value, d.token_at(at + 1).value
    if after not in _PAIRS[word] or d.token_at(at + 1).kind is not Lex.WORD:
        return 0
    d.out.append(f"{word.upper()} {after.upper()}")
    return at + 2


def _follower(d: Disguise, at: int) -> int:
    """Keywords only after certain words."""
    word = d.tokens[at].value
    if not any(d.says(at - 1, previous) for previous in _FOLLOWERS[word]):
        return 0
    if word == "materialized" and d.says(at - 1, "not") and not d.says(at - 2, "as"):
        raise Unvetted("MATERIALIZED without AS")
    d.out.append(word.upper())
    return at + 1


def _after_call(d: Disguise, at: int) -> int:
    """FILTER ( and OVER, after the parenthesis that closes a call; WITHIN GROUP."""
    word, after = d.tokens[at].value, d.token_at(at + 1)
    if d.token_at(at - 1).text != ")":
        return 0
    if word == "within" and not d.says(at + 1, "group"):
        return 0
    if word == "filter" and after.text != "(":
        return 0
    if word == "over" and after.text != "(" and after.kind not in (Lex.WORD, Lex.QUOTED):
        return 0
    d.out.append(word.upper())
    if word == "over" and after.text != "(":
        return d.name(at + 1)
    if word == "within":
        d.out.append("GROUP")
        return at + 2
    return at + 1


def _grouping(d: Disguise, at: int) -> int:
    """ROLLUP, CUBE and GROUPING SETS are keywords in GROUP BY only."""
    if d.says(at, "grouping", "sets"):
        d.out.append("GROUPING SETS")
        return at + 2
    if d.tokens[at].value == "grouping" or "group" not in d.clauses[-3:] or d.token_at(at + 1).text != "(":
        return 0
    d.out.append(d.tokens[at].value.upper())
    return at + 1


def _merge(d: Disguise, at: int) -> int:
    if not d.says(at, "merge", "into"):
        return 0
    d.writes.add("merge")
    d.out.append("MERGE INTO")
    return at + 2


def _matched(d: Disguise, at: int) -> int:
    """WHEN [NOT] MATCHED [BY SOURCE | BY TARGET]."""
    if "merge" not in d.writes or not (d.says(at - 1, "when") or d.says(at - 2, "when", "not")):
        return 0
    d.out.append("MATCHED")
    if d.says(at + 1, "by", "source"):
        d.out.append("BY SOURCE")
        return at + 3
    return at + 3 if d.says(at + 1, "by", "target") else at + 1


def _delete(d: Disguise, at: int) -> int:
    if _merges(d, at):
        d.out.append("DELETE")
        return at + 1
    return _pair(d, at)


def _merges(d: Disguise, at: int) -> bool:
    """What stands here is what a WHEN of a MERGE does."""
    return "merge" in d.writes and d.says(at - 1, "then")


def _insert(d: Disguise, at: int) -> int:
    if _merges(d, at):
        d.out.append("INSERT")
        return at + 1
    if not d.says(at, "insert", "into"):
        return 0
    d.out.append("INSERT INTO")
    return at + 2


def _update(d: Disguise, at: int) -> int:
    before = d.token_at(at - 1)
    if at and not (before.text in ("(", ")") or d.says(at - 1, "do") or _merges(d, at)):
        return 0
    d.out.append("UPDATE")
    return at + 1


def _set(d: Disguise, at: int) -> int:
    """SET begins the assignments of an UPDATE; a name elsewhere."""
    after = d.token_at(at + 1)
    if (
        d.token_at(at - 1).text in ("(", ")")
        or "update" not in d.writes
        or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "(")
    ):
        return 0
    if after.kind is Lex.WORD and after.value in RESERVED:
        return 0
    d.keyword("set")
    return at + 1


def _conflict(d: Disguise, at: int) -> int:
    if "insert" not in d.writes or not d.says(at - 1, "on"):
        return 0
    if d.token_at(at + 1).text != "(" and not d.says(at + 1, "do") and not d.says(at + 1, "on", "constraint"):
        return 0
    d.out.append("CONFLICT")
    if d.says(at + 1, "on", "constraint"):
        d.out.append("ON CONSTRAINT")
        return at + 3
    return at + 1


def _override(d: Disguise, at: int) -> int:
    if not (d.says(at + 1, "system", "value") or d.says(at + 1, "user", "value")):
        return 0
    if d.overriding or d.token_at(at - 1).text == "," or d.token_at(at - 1).text == "(":
        raise Unvetted("OVERRIDING twice")
    d.overriding = f"OVERRIDING {d.token_at(at + 1).value.upper()} VALUE"
    return at + 3


def _sample(d: Disguise, at: int) -> int:
    """`TABLESAMPLE SYSTEM (10) REPEATABLE (1)`, with plain numbers alone: the parser sees which of them it is."""
    method = d.token_at(at + 1).value
    if method not in ("bernoulli", "system"):
        raise Unvetted(f"TABLESAMPLE {method.upper()}")
    text, after = f"TABLESAMPLE {method.upper()} {_number(d, at + 2)}", at + 5
    if d.says(after, "repeatable"):
        text += f" REPEATABLE {_number(d, after + 1)}"
        after += 4
    d.out.append(f"TABLESAMPLE SYSTEM ({len(d.samples)})")
    d.samples.append(text)
    return after


def _number(d: Disguise, at: int) -> str:
    before, number, behind = (d.token_at(at + offset) for offset in range(3))
    if before.text != "(" or number.kind is not Lex.NUMBER or behind.text != ")":
        raise Unvetted("TABLESAMPLE with anything but a number")
    return f"({number.text})"


def _part(token: Token) -> str:
    return name_sql(token.value) if token.kind in (Lex.WORD, Lex.QUOTED) else token.text


_PAIRS = {
    "nulls": ("first", "last"),
    "partition": ("by",),
    "delete": ("from",),
}
_FOLLOWERS = {
    "recursive": ("with",),
    "ordinality": ("with",),
    "materialized": ("as", "not"),
    "nothing": ("do",),
    "unknown": ("is", "not"),
}
#: A handler emits the word and says where to go on, or says 0: no keyword here.
HANDLERS: dict[str, Callable[[Disguise, int], int]] = {
    **dict.fromkeys(("null", "true", "false"), _constant_word),
    **dict.fromkeys(("any", "some", "all"), _quantifier),
    **dict.fromkeys(("exists", "row", "values"), _before_parenthesis),
    **dict.fromkeys(("isnull", "notnull"), _null_test),
    **dict.fromkeys(_PAIRS, _pair),
    **dict.fromkeys(_FOLLOWERS, _follower),
    **dict.fromkeys(("filter", "over", "within"), _after_call),
    **dict.fromkeys(("rows", "range", "groups"), rewrites.frame),
    **dict.fromkeys(("rollup", "cube", "grouping"), _grouping),
    "array": _array_word,
    "as": _as,
    "at": _at_time_zone,
    "by": _by,
    "cast": rewrites.cast,
    "collate": _collate,
    "conflict": _conflict,
    "default": _default,
    "delete": _delete,
    "escape": _escape,
    "fetch": rewrites.fetch,
    "for": rewrites.locking,
    "from": _from,
    "in": _in,
    "insert": _insert,
    "join": _join,
    "matched": _matched,
    "merge": _merge,
    "operator": _operator_word,
    "overriding": _override,
    "set": _set,
    "table": rewrites.table,
    "tablesample": _sample,
    "update": _update,
}
