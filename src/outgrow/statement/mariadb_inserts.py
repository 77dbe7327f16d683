"""MariaDB's ways to say INSERT, read as the one that the parser knows; and the rows of VALUES as they are written.

`REPLACE`, `INSERT IGNORE`, `INSERT … SET` and `ON DUPLICATE KEY UPDATE` change what becomes of a row that is there
already, not which rows are given.  The server gets the text as the user wrote it: only its reading is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outgrow.statement import mariadb_reading
from outgrow.statement.lexer import Lex, Token, significant
from outgrow.statement.mariadb_lexer import lex
from outgrow.statement.unvetted import Unvetted


class Reading(NamedTuple):
    """What the parser is to see, and what happens to rows that are there already: "", "update", "replace", "ignore"."""

    tokens: list[Token]
    manner: str


def read(tokens: list[Token]) -> Reading:
    """As `mariadb_reading.read`, for every statement.  Raises Unvetted."""
    first = tokens[0].value if tokens[0].kind is Lex.WORD else ""
    if first not in ("insert", "replace"):
        return Reading(mariadb_reading.read(tokens), "")
    at, manner = 1, ""
    if first == "replace":
        manner = "replace"
    elif _says(tokens, 1, "ignore"):
        at, manner = 2, "ignore"
    at += _says(tokens, at, "into")
    body = tokens[at:]
    tail: list[Token] = []
    split = next((n for n in _top(body) if _says(body, n, "on", "duplicate", "key", "update")), None)
    if split is not None:
        if manner:
            raise Unvetted(f"{manner.upper()} with ON DUPLICATE KEY UPDATE")
        body, tail, manner = body[:split], body[split + 4 :], "update"
        if any(_says(body, n, "select") for n in _top(body)):
            # What is assigned may name what is selected.
            raise Unvetted("ON DUPLICATE KEY UPDATE behind a SELECT")
    said = mariadb_reading.read([*_words(tokens[0], "insert into"), *_with_values(body)])
    if tail:
        said += _words(tail[0], "on conflict do update set")
        said += _excluded(mariadb_reading.read(tail))
    return Reading(said, manner)


def _with_values(body: list[Token]) -> list[Token]:
    """`t SET a = 1, b = 2` as `t (a, b) VALUES (1, 2)`, and `VALUE` as `VALUES`."""
    at = 3 if len(body) > 1 and body[1].text == "." else 1
    if not _says(body, at, "set"):
        listed = next((n for n in _top(body) if n and _says(body, n, "value") and _is(body, n + 1, "(")), None)
        return body if listed is None else [*body[:listed], *_words(body[listed], "values"), *body[listed + 1 :]]
    names: list[Token] = []
    values: list[list[Token]] = []
    end = next((n for n in _top(body) if n > at and _says(body, n, "returning")), len(body))
    assigned = body[at + 1 : end]
    ends = [*(n for n in _top(assigned) if assigned[n].text == ","), len(assigned)]
    start = 0
    for stop in ends:
        pair = assigned[start:stop]
        if len(pair) < 3 or pair[1].text != "=" or pair[0].kind not in (Lex.WORD, Lex.QUOTED):
            raise Unvetted("this assignment")
        names.append(pair[0])
        values.append(pair[2:])
        start = stop + 1
    near = body[at]
    comma, opening, closing = (Token(Lex.PUNCT, text, text, near.start) for text in ",()")
    named = [token for name in names for token in (comma, name)][1:]
    given = [token for value in values for token in (comma, *value)][1:]
    return [
        *(*body[:at], opening, *named, closing, *_words(near, "values")),
        *(opening, *given, closing, *body[end:]),
    ]


def _excluded(tokens: Sequence[Token]) -> Iterator[Token]:
    """`VALUES(n)` in assignments is the value that the row was to have."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind is Lex.WORD and token.value in ("values", "value") and _is(tokens, at + 1, "("):
            if not _is(tokens, at + 3, ")"):
                raise Unvetted("this VALUES()")
            yield from _words(token, "excluded")
            yield Token(Lex.PUNCT, ".", ".", token.start)
            yield tokens[at + 2]
            at += 4
            continue
        yield token
        at += 1


def _words(near: Token, text: str) -> list[Token]:
    return [Token(Lex.WORD, word.upper(), word, near.start) for word in text.split()]


def _says(tokens: Sequence[Token], at: int, *words: str) -> bool:
    return len(tokens) >= at + len(words) and all(
        token.kind is Lex.WORD and token.text.lower() == word
        for token, word in zip(tokens[at : at + len(words)], words, strict=True)
    )


def _is(tokens: Sequence[Token], at: int, text: str) -> bool:
    return at < len(tokens) and tokens[at].text == text


def _top(tokens: Sequence[Token]) -> Iterator[int]:
    """The places outside of all parentheses."""
    depth = 0
    for at, token in enumerate(tokens):
        depth -= token.text == ")"
        if not depth:
            yield at
        depth += token.text == "("


class Rows(NamedTuple):
    """An INSERT … VALUES as written: what stands before the rows, each row, and what stands behind.

    Each is text with the numbers of its parameters in between: one text more than there are numbers.
    """

    head: tuple[tuple[str, ...], tuple[int, ...]]
    rows: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]
    tail: tuple[tuple[str, ...], tuple[int, ...]]


def rows_written(sql: str) -> Rows | None:
    """None where there is no VALUES at the top of it."""
    tokens = significant(lex(sql))
    at = next((n for n in _top(tokens) if _says(tokens, n, "values") or _says(tokens, n, "value")), None)
    if at is None:
        return None
    spans: list[tuple[int, int]] = []
    begin = at + 1
    while _is(tokens, begin, "("):
        depth, end = 1, begin + 1
        while depth:
            depth += (tokens[end].text == "(") - (tokens[end].text == ")")
            end += 1
        last = tokens[end - 1]
        spans.append((tokens[begin].start, last.start + len(last.text)))
        if not _is(tokens, end, ","):
            break
        begin = end + 1
    if not spans:
        return None
    cut = [(0, spans[0][0]), *spans, (spans[-1][1], len(sql))]
    head, *rows, tail = (_cut(sql, tokens, *span) for span in cut)
    return Rows(head, tuple(rows), tail)


def numbers_written(sql: str, name: str | None, at: int | None, numbers: Sequence[int | None]) -> str | None:
    """An INSERT … VALUES whose rows have these parameters (None: nothing new) for one column more, `name`, or for the
    one at place `at`.  None where it is not written so."""
    tokens = significant(lex(sql))
    values = next((n for n in _top(tokens) if _says(tokens, n, "values") or _says(tokens, n, "value")), None)
    if values is None:
        return None
    edits: list[tuple[int, int, str]] = []
    if name is not None:
        if tokens[values - 1].text != ")":
            return None
        edits.append(_added(tokens, values - 1, "`" + name.replace("`", "``") + "`"))
    opening = values + 1
    for number in numbers:
        if not _is(tokens, opening, "("):
            return None
        cells, closing = _cells(tokens, opening)
        if number is not None and at is None:
            edits.append(_added(tokens, closing, f"${number}"))
        elif number is not None and at is not None:
            first, last = tokens[cells[at][0]], tokens[cells[at][1] - 1]
            edits.append((first.start, last.start + len(last.text), f"${number}"))
        opening = closing + 2
    for start, end, text in reversed(edits):
        sql = sql[:start] + text + sql[end:]
    return sql


def _added(tokens: Sequence[Token], closing: int, text: str) -> tuple[int, int, str]:
    """One more in a list, before its closing parenthesis."""
    place = tokens[closing].start
    return place, place, text if tokens[closing - 1].text == "(" else f", {text}"


def _cells(tokens: Sequence[Token], opening: int) -> tuple[list[tuple[int, int]], int]:
    """The spans of what a pair of parentheses lists, and the place of the closing one."""
    cells, depth, at, start = [], 1, opening + 1, opening + 1
    while True:
        text = tokens[at].text
        depth += (text == "(") - (text == ")")
        if depth == 0 or (depth == 1 and text == ","):
            cells.append((start, at))
            start = at + 1
        if depth == 0:
            return cells, at
        at += 1


def _cut(sql: str, tokens: Sequence[Token], begin: int, end: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    texts, numbers, at = [], [], begin
    for token in tokens:
        if token.kind is Lex.PARAM and begin <= token.start < end:
            texts.append(sql[at : token.start])
            numbers.append(int(token.text[1:]))
            at = token.start + len(token.text)
    return (*texts, sql[at:end]), tuple(numbers)
