"""Clauses that the parser gets in another shape: CAST, window frames, locking, FETCH FIRST, TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.statement.keywords import RESERVED, words
from outgrow.statement.lexer import Lex
from outgrow.statement.tree import Literal
from outgrow.statement.unvetted import Unvetted

if TYPE_CHECKING:
    from outgrow.statement.disguise import Disguise

_FRAME_WORDS = frozenset(
    words(
        "rows range groups between unbounded preceding following current row and exclude no others group ties interval"
    )
)


def cast(d: Disguise, at: int) -> int:
    if d.token_at(at + 1).text != "(":
        return 0
    close = d.close(at + 1)
    depth, split = 0, -1
    for position in range(at + 2, close):
        depth += d.tokens[position].text in ("(", "[")
        depth -= d.tokens[position].text in (")", "]")
        if depth == 0 and d.says(position, "as"):
            split = position
    if split < 0:
        raise Unvetted("CAST without AS")
    d.out.append("CAST ( (")  # Precedence does not matter inside.
    d.clauses.append("")
    d.run(at + 2, split)
    d.clauses.pop()
    d.out.append(")")
    if d.typed(split + 1, "AS") != close:
        raise Unvetted("this CAST's type")
    d.out.append(")")
    return close + 1


def frame(d: Disguise, at: int) -> int:
    """The frame clause, up to the closing parenthesis of the window, becomes a numbered dummy."""
    depth = len(d.clauses) - 1
    after = d.token_at(at + 1)
    if offset_rows(d, at):
        return at + 1
    if depth not in d.windows or d.says(at - 1, "by") or d.token_at(at - 1).text == ",":
        return 0
    if after.kind not in (Lex.WORD, Lex.NUMBER, Lex.PARAM, Lex.STRING):
        return 0
    words, end, nesting = [], at, 0
    while end < len(d.tokens) and not (nesting == 0 and d.tokens[end].text == ")"):
        token = d.tokens[end]
        if (
            token.kind is Lex.PARAM
            or token.kind is Lex.QUOTED
            or (token.kind is Lex.WORD and token.value not in _FRAME_WORDS)
        ):
            raise Unvetted(f"a window frame with {token.text}")
        nesting += token.text == "("
        nesting -= token.text == ")"
        words.append(token.value.upper() if token.kind is Lex.WORD else token.text)
        end += 1
    index = len(d.frames)
    d.frames.append(" ".join(words))
    d.out.append(f"ROWS BETWEEN {index} PRECEDING AND {index} FOLLOWING")
    return end


def locking(d: Disguise, at: int) -> int:
    """FOR UPDATE | NO KEY UPDATE | SHARE | KEY SHARE [OF t, …] [NOWAIT | SKIP LOCKED]"""
    for strength in (("update",), ("no", "key", "update"), ("share",), ("key", "share")):
        if d.says(at + 1, *strength):
            d.out.append("FOR " + " ".join(strength).upper())
            at += 1 + len(strength)
            break
    else:
        raise Unvetted(f"FOR {d.token_at(at + 1).text}")
    if d.says(at, "of"):
        d.out.append("OF")
        at = d.name(at + 1)
        while d.token_at(at).text == ",":
            d.out.append(",")
            at = d.name(at + 1)
    if d.says(at, "nowait"):
        d.out.append("NOWAIT")
        at += 1
    elif d.says(at, "skip", "locked"):
        d.out.append("SKIP LOCKED")
        at += 2
    return at


def fetch(d: Disguise, at: int) -> int:
    """FETCH FIRST n ROWS ONLY is LIMIT n."""
    if not (d.says(at + 1, "first") or d.says(at + 1, "next")):
        raise Unvetted("FETCH")
    start = end = at + 2
    while end < len(d.tokens) and not (d.says(end, "row") or d.says(end, "rows")):
        end = d.closers.get(end, end) + 1
    ties = d.says(end + 1, "with", "ties")
    if not ties and not d.says(end + 1, "only"):
        raise Unvetted("FETCH without ROWS ONLY or WITH TIES")
    d.out.append("FETCH FIRST" if ties else "LIMIT")
    if start == end:
        d.emit_constant(Literal("number", "1"))
    elif ties and end - start > 1:
        raise Unvetted("FETCH FIRST (expression) ROWS WITH TIES")
    else:
        d.run(start, end)
    if ties:
        d.out.append("ROWS WITH TIES")
    return end + 2 + ties


def table(d: Disguise, at: int) -> int:
    """`TABLE t` is `SELECT * FROM t`, without alias."""
    name = at + 1 + d.says(at + 1, "only")
    name += 2 if d.token_at(name + 1).text == "." else 0
    after = d.token_at(name + 1)
    if after.kind is Lex.QUOTED or (after.kind is Lex.WORD and (after.value not in RESERVED or after.value == "as")):
        raise Unvetted("an alias of TABLE")
    d.out.append("SELECT * FROM")
    return at + 1


def offset_rows(d: Disguise, at: int) -> bool:
    """The noise word of `OFFSET 5 ROWS`."""
    if d.tokens[at].value not in ("row", "rows"):
        return False
    opening = next((o for o, c in d.closers.items() if c == at - 1), at - 1)
    return d.says(opening - 1, "offset")
