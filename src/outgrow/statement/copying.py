"""What a COPY says: its table or query, its direction, its options.  It is read, never rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outgrow.errors import NotSupportedError, ProgrammingError
from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, lex, significant
from outgrow.statement.quoting import name_sql

#: Options of the old syntax that are a word alone.
_FORMATS = frozenset(words("binary csv"))
_TEXTS = frozenset(words("delimiter delimiters null quote escape encoding"))
_TRUE = frozenset(words("true on 1"))


@dataclass(frozen=True, slots=True)
class CopyCommand:
    """One COPY.  Exactly one of `table` and `query` is there."""

    #: "from" or "to".
    direction: str
    #: Schema (None: by the search path) and name.
    table: tuple[str | None, str] | None
    #: The text between the parentheses of COPY (…) TO.
    query: str | None
    #: The column list; None where there is none.
    columns: tuple[str, ...] | None
    #: "text", "csv" or "binary".
    format: str
    #: Everything else by name: a text, a tuple of columns, or "*".  `header` is "match" or the word that was given.
    options: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    #: The condition behind FROM's WHERE.
    condition: str = ""

    def on(self, name: str) -> bool:
        """An option that is a switch."""
        return self.options.get(name, "false") in _TRUE

    @property
    def header(self) -> bool:
        return self.on("header") or self.options.get("header") == "match"


def copy_command(sql: str) -> CopyCommand:
    """Read one COPY … FROM STDIN or COPY … TO STDOUT.

    NotSupportedError OG-COPY-002 for a file or program of the server, ProgrammingError OG-COPY-001 for what is no COPY.
    """
    return _Reader(sql).read()


def copy_of(sql: str, query: str) -> str:
    """The same COPY (…) TO, of another query."""
    reader = _Reader(sql)
    begin, end = reader.inside(1)
    return f"{sql[:begin]}{query}{sql[end:]}"


def copy_adding(sql: str, columns: Sequence[str]) -> str:
    """The same COPY with these columns behind those that it lists."""
    reader = _Reader(sql)
    end = reader.listed_until()
    return f"{sql[:end]}, {', '.join(map(name_sql, columns))}{sql[end:]}"


def with_literals(sql: str, literals: Sequence[str]) -> str:
    """`sql` with every $n replaced: COPY takes no parameters."""
    pieces = []
    for token in lex(sql):
        piece = token.text
        if token.kind is Lex.PARAM:
            # Between blanks, so that it stays a token of its own beside whatever it stood.
            piece = f" {literals[int(piece[1:]) - 1]} "
        pieces.append(piece)
    return "".join(pieces)


class _Reader:
    def __init__(self, sql: str) -> None:
        self._sql = sql
        tokens = significant(lex(sql))
        while tokens and tokens[-1].text == ";":
            tokens.pop()
        self._tokens = tokens
        self._at = 1
        if self._word(0) != "copy":
            raise self._wrong("the statement is not a COPY")

    def read(self) -> CopyCommand:
        options: dict[str, str | tuple[str, ...]] = {}
        table, query, columns = None, None, None
        if self._text(1) == "(":
            begin, end = self.inside(1)
            query = self._sql[begin:end]
            self._at = next(n for n, token in enumerate(self._tokens) if token.start == end) + 1
        else:
            if self._word() == "binary" and self._kind(self._at + 1) in (Lex.WORD, Lex.QUOTED):
                options["format"] = "binary"
                self._at += 1
            table = self._table()
            if self._text() == "(":
                columns = self._names()
        direction = self._word()
        if direction not in ("from", "to"):
            raise self._wrong("FROM or TO is missing")
        self._at += 1
        self._stream(direction)
        condition = self._options(options)
        form = options.pop("format", "text")
        if not isinstance(form, str) or form not in ("text", "csv", "binary"):
            raise self._wrong(f"COPY has no format {form!r}")
        return CopyCommand(direction, table, query, columns, form, options, condition)

    # -- parts ---------------------------------------------------------------------------------------------------

    def listed_until(self) -> int:
        """Where the list of columns ends, before its parenthesis."""
        at = next(n for n, token in enumerate(self._tokens) if token.text == "(")
        return self.inside(at)[1]

    def inside(self, at: int) -> tuple[int, int]:
        """Where the text between this parenthesis and its partner begins and ends."""
        depth = 0
        for token in self._tokens[at:]:
            depth += token.text in ("(", "[")
            depth -= token.text in (")", "]")
            if depth == 0:
                return self._tokens[at].start + 1, token.start
        raise self._wrong("a parenthesis is never closed")

    def _table(self) -> tuple[str | None, str]:
        first = self._name()
        if self._text() != ".":
            return None, first
        self._at += 1
        return first, self._name()

    def _names(self) -> tuple[str, ...]:
        """(a, b), from its parenthesis on."""
        names = []
        while self._text() in ("(", ","):
            self._at += 1
            names.append(self._name())
        if self._text() != ")":
            raise self._wrong("the list of columns does not end")
        self._at += 1
        return tuple(names)

    def _stream(self, direction: str) -> None:
        if self._word() in ("stdin", "stdout") and self._kind() is Lex.WORD:
            self._at += 1
            return
        raise NotSupportedError(
            "OG-COPY-002",
            f"COPY {direction.upper()} a file or program lives on one server's disk",
            cure="read or write it here: COPY … FROM STDIN, COPY … TO STDOUT",
        )

    def _options(self, options: dict[str, str | tuple[str, ...]]) -> str:
        """What follows; the condition of a WHERE at its end."""
        if self._word() == "with":
            self._at += 1
        if self._text() == "(":
            self._listed(options)
        else:
            self._old(options)
        if self._word() == "where":
            return self._sql[self._tokens[self._at].start + len("where") :]
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._text()!r} is not understood")
        return ""

    def _listed(self, options: dict[str, str | tuple[str, ...]]) -> None:
        """(FORMAT csv, HEADER, …)"""
        while self._text() in ("(", ","):
            self._at += 1
            name = self._name()
            options[name] = self._value(name)
        if self._text() != ")":
            raise self._wrong("the list of options does not end")
        self._at += 1

    def _value(self, name: str) -> str | tuple[str, ...]:
        text = self._text()
        if text in (",", ")", ""):
            return "true"
        if text == "(":
            return self._names()
        token = self._tokens[self._at]
        self._at += 1
        if token.kind is Lex.STRING or text == "*":
            # FORMAT 'CSV' names the format too; NULL 'X' means what it says.
            return token.value if name in _TEXTS or name == "default" else token.value.lower()
        if text in ("+", "-"):
            self._at += 1
            return text + self._tokens[self._at - 1].value
        return token.value

    def _old(self, options: dict[str, str | tuple[str, ...]]) -> None:
        """CSV HEADER DELIMITER AS ';' FORCE NOT NULL a, b"""
        while (word := self._word()) and word != "where":
            self._at += 1
            if word in _FORMATS:
                options["format"] = word
            elif word in ("header", "freeze"):
                options[word] = "true"
            elif word == "using":
                continue
            elif word in _TEXTS:
                if self._word() == "as":
                    self._at += 1
                if self._kind() is not Lex.STRING:
                    raise self._wrong(f"{word.upper()} needs a text in quotes")
                options[word.removesuffix("s")] = self._tokens[self._at].value
                self._at += 1
            elif word == "force":
                self._forced(options)
            else:
                raise self._wrong(f"{word.upper()} is not understood")

    def _forced(self, options: dict[str, str | tuple[str, ...]]) -> None:
        name = "force"
        while self._word() in ("quote", "not", "null") and name not in ("force_quote", "force_not_null", "force_null"):
            name += "_" + self._word()
            self._at += 1
        if self._text() == "*":
            self._at += 1
            options[name] = "*"
            return
        names = [self._name()]
        while self._text() == ",":
            self._at += 1
            names.append(self._name())
        options[name] = tuple(names)

    # -- tokens --------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        if self._kind() not in (Lex.WORD, Lex.QUOTED):
            raise self._wrong(f"a name is missing before {self._text() or 'the end'!r}")
        self._at += 1
        return self._tokens[self._at - 1].value

    def _kind(self, at: int | None = None) -> Lex | None:
        at = self._at if at is None else at
        return self._tokens[at].kind if at < len(self._tokens) else None

    def _text(self, at: int | None = None) -> str:
        at = self._at if at is None else at
        return self._tokens[at].text if at < len(self._tokens) else ""

    def _word(self, at: int | None = None) -> str:
        at = self._at if at is None else at
        return self._tokens[at].value if self._kind(at) is Lex.WORD else ""

    def _wrong(self, why: str) -> ProgrammingError:
        return ProgrammingError(
            "OG-COPY-001",
            f"{why}: {self._sql[:80]!r}",
            cure="write COPY table [(columns)] FROM STDIN or TO STDOUT, then its options in parentheses",
            sqlstate="42601",
        )
