"""The text that the parser gets to see: clause words, quoted names, standard operators, and markers.

The parser (sqlglot, Postgres dialect, compiled, so not to be subclassed) rewrites functions, types, literals and
operators as it reads them, and takes some words for keywords that PostgreSQL does not.  So nothing of that kind reaches
it.  Each constant, parameter, type, collation and special form is stored in a list here and stands in the text as a
quoted name `"og$…"`:

    og$kN   constant or parameter N        og$tN   type N           og$cN   collation N
    og$oN   operator N, between two `||`   og$uN   prefix operator N, before one `||`    og$d0  DIV, between two `*`
    og$f$x  function x                     og$xN   special form N (EXTRACT, SUBSTRING … FROM, …), og$any, og$all,
    og$row, og$arr, og$exists, og$sub      … as functions

All of PostgreSQL's "other" operators share one precedence, that of `||`, so disguising each as `|| marker ||` parses
them right whatever they are.  Words that are keywords only in some places are judged by their neighbours, as
PostgreSQL's grammar would.
"""

from __future__ import annotations

from outgrow.schema import Volatility
from outgrow.statement import contextual
from outgrow.statement.keywords import FOREIGN, RESERVED, VALUE_WORDS, words
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.special import POSTGRESQL, Forms, Special
from outgrow.statement.tree import Cast, Expr, Literal, Parameter, Template
from outgrow.statement.typenames import scan_type
from outgrow.statement.unvetted import Unvetted

_STANDARD = frozenset(["+", "-", "*", "/", "%", "^", "<", ">", "=", "<=", ">=", "<>", "!="])
_MULTIWORD_TYPES = frozenset(words("double timestamp time interval character char national nchar bit varchar"))
_INTERVAL_FIELDS = frozenset(words("year month day hour minute second"))
#: Reserved words that may follow a comma.
_BEGIN_A_VALUE = frozenset(
    words("array case cast not null true false default lateral only any all some left right variadic distinct")
)
_END_A_VALUE = frozenset(words("null true false end default asc desc all"))
#: Unreserved words that a constant may follow.
_BEFORE_A_CONSTANT = frozenset(words("by first next zone escape"))
_CLAUSES = frozenset(words("window group from where having order select set values returning limit offset"))
COUNTED = ("and", "when", "then", "where")
END = Token(Lex.PUNCT, "", "", 0)


class Disguise:
    """One run over one statement's significant tokens; `text` is for the parser, the lists undo the markers."""

    def __init__(self, tokens: list[Token], forms: Forms = POSTGRESQL) -> None:
        self.tokens = tokens
        self.forms = forms
        self.out: list[str] = []
        self.constants: list[Expr] = []
        self.types: list[str] = []
        self.collations: list[str] = []
        self.operators: list[str] = []
        self.specials: list[Special] = []
        self.frames: list[str] = []
        self.samples: list[str] = []
        self.overriding = ""
        #: How often the words occur that the parser does not miss where they are missing.
        self.counts = dict.fromkeys(COUNTED, 0)
        #: Innermost last: the clause word in force at each depth of parentheses ("window", "group", "set", "").
        self.clauses = [""]
        self.not_values: set[int] = set()  # the parentheses that close OPERATOR(…) and DISTINCT ON (…)
        self.arrays = 0  # array constructors that are open
        self.windows: set[int] = set()  # depths at which a window specification is open
        self.writes = {t.value for t in tokens if t.kind is Lex.WORD and t.value in ("insert", "update")}
        self.closers = _matching(tokens)
        self.run(0, len(tokens))
        self.text = " ".join(self.out)

    # ── the run ──────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, at: int, end: int) -> None:
        while at < end:
            token = self.tokens[at]
            kind = token.kind
            if kind is Lex.WORD:
                at = self._word(at)
            elif kind is Lex.QUOTED:
                at = self.name(at)
            elif kind is Lex.PUNCT:
                at = self._punctuation(at)
            elif kind is Lex.OP:
                at = self._operator(at)
            else:
                at = self.constant(at)

    def token_at(self, at: int) -> Token:
        return self.tokens[at] if 0 <= at < len(self.tokens) else END

    def says(self, at: int, *words: str) -> bool:
        """The tokens from `at` on are these words."""
        return all(
            self.token_at(at + i).kind is Lex.WORD and self.tokens[at + i].value == word for i, word in enumerate(words)
        )

    def operand_before(self, at: int) -> bool:
        before = self.token_at(at - 1)
        if at - 1 in self.not_values:
            return False
        if before.kind is Lex.WORD:
            if before.value == "by" and any(self.says(at - 2, word) for word in ("group", "order", "partition")):
                return False
            return before.value not in RESERVED or before.value in ("null", "true", "false", "end", *VALUE_WORDS)
        return before.kind in (Lex.QUOTED, Lex.STRING, Lex.BITS, Lex.NUMBER, Lex.PARAM) or before.text in (")", "]")

    def emit_constant(self, value: Expr) -> None:
        self.out.append(f'"og$k{len(self.constants)}"')
        self.constants.append(value)

    def constant(self, at: int) -> int:
        token = self.tokens[at]
        if self.operand_before(at) and self.token_at(at - 1).value not in _BEFORE_A_CONSTANT:
            raise Unvetted(f"{token.text} right after another value")
        if token.kind is Lex.PARAM:
            self.emit_constant(Parameter(int(token.text[1:])))
        elif token.kind is Lex.NUMBER:
            self.emit_constant(Literal("number", token.text))
        elif token.kind is Lex.BITS:
            self.emit_constant(Template((token.text,), ()))
        else:
            self.emit_constant(Literal("string", token.value))
        return at + 1

    # ── punctuation and operators ────────────────────────────────────────────────────────────────────────────

    def _punctuation(self, at: int) -> int:
        text = self.tokens[at].text
        if text == "(":
            if self.says(at - 1, "over") or (self.says(at - 1, "as") and self.clauses[-1] == "window"):
                self.windows.add(len(self.clauses))
            self.clauses.append("")
            if self.says(at - 2, "distinct", "on"):
                self.not_values.add(self.close(at))
        elif text == ")":
            self.windows.discard(len(self.clauses) - 1)
            self.clauses.pop()
        elif text == "[" and not self.operand_before(at):
            if not self.arrays or self.token_at(at - 1).text not in ("[", ","):
                raise Unvetted("this bracket")
            return self.array(at)
        elif text == ".":
            before, after = self.token_at(at - 1), self.token_at(at + 1)
            named = self.operand_before(at) or (before.kind is Lex.WORD and self.token_at(at - 2).text == ".")
            if not named or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "*"):
                raise Unvetted("this dot")
        elif text == ",":
            self._check_comma(at)
        self.out.append(text)
        return at + 1

    def _check_comma(self, at: int) -> None:
        """The parser forgives a comma too many, and knows MySQL's `LIMIT a, b`."""
        before, after = self.token_at(at - 1), self.token_at(at + 1)
        named = before.kind is Lex.WORD and (self.says(at - 2, "as") or self.token_at(at - 2).text == ".")
        opens = not (self.operand_before(at) or before.text == "*" or before.value in _END_A_VALUE or named)
        closes = (after.kind is Lex.PUNCT and after.text in (")", "]", ",")) or (
            after.kind is Lex.WORD and after.value in RESERVED and after.value not in _BEGIN_A_VALUE
        )
        if opens or closes or after is END or self.clauses[-1] in ("limit", "offset"):
            raise Unvetted("this comma")

    def array(self, at: int) -> int:
        """The brackets of an array constructor: `ARRAY[…]`, or `[…]` directly within one."""
        close = self.close(at)
        self.out.append('"og$arr" (')
        self.arrays += 1
        self.run(at + 1, close)
        self.arrays -= 1
        self.out.append(")")
        return close + 1

    def _operator(self, at: int) -> int:
        text = self.tokens[at].text
        if text == "::":
            return self.typed(at + 1, "::")
        if text in ("=>", ":="):
            self.out.append("=>")
            return at + 1
        if text in _STANDARD:
            # The parser drops a unary plus, but keeps ~, which never reaches it otherwise.
            self.out.append("~" if text == "+" and not self.operand_before(at) else text)
            return at + 1
        if text == "div":
            # Of the precedence of *, and from the left, so `a DIV b * c` is grouped right.
            self.out.append('* "og$d0" *')
            return at + 1
        if text == "..":
            raise Unvetted("'..'")
        return self.other_operator(at, text, at + 1)

    def other_operator(self, at: int, text: str, after: int) -> int:
        index = len(self.operators)
        self.operators.append(text)
        self.out.append(f'|| "og$o{index}" ||' if self.operand_before(at) else f'"og$u{index}" ||')
        return after

    def typed(self, at: int, before: str) -> int:
        scanned = scan_type(self.tokens, at)
        if scanned is None:
            raise Unvetted(f"the type {self.token_at(at).text!r}")
        type, at = scanned
        if self.token_at(at).text == "(":
            raise Unvetted(f"the size of the type {type}")
        self.out.append(f'{before} "og$t{len(self.types)}"')
        self.types.append(type)
        return at

    def close(self, at: int) -> int:
        close = self.closers.get(at)
        if close is None:
            raise Unvetted(f"{self.token_at(at).text!r} is never closed")
        return close

    # ── words ────────────────────────────────────────────────────────────────────────────────────────────────

    def _word(self, at: int) -> int:
        token = self.tokens[at]
        word = token.value
        before, after = self.token_at(at - 1), self.token_at(at + 1)
        if before.text == "." and before.kind is Lex.PUNCT:
            return self.name(at)
        if self.says(at - 1, "as") and not self._structural_after_as(at):
            return self.name(at)
        if word in COUNTED:
            self.counts[word] += 1
        handler = contextual.HANDLERS.get(word)
        if handler is not None:
            done = handler(self, at)
            if done:
                return done
        elif word in RESERVED:
            if word in ("left", "right") and after.text == "(":
                return self.name(at)
            if word in FOREIGN:
                raise Unvetted(f"{word.upper()} here")
            self.keyword(word)
            return at + 1
        elif word in VALUE_WORDS:
            return self._value_word(at)
        return self._literal_or_name(at)

    def keyword(self, word: str) -> None:
        if word in _CLAUSES:
            self.clauses[-1] = word
        self.out.append(word.upper())

    def _structural_after_as(self, at: int) -> bool:
        if self.says(at, "materialized") or self.says(at, "not", "materialized"):
            return self.token_at(at + 1 + self.says(at, "not")).text == "("
        return False

    def _literal_or_name(self, at: int) -> int:
        """`int8 '42'`, `timestamp with time zone '…'`, or a plain name."""
        token, after = self.tokens[at], self.token_at(at + 1)
        if after.kind is Lex.STRING or token.value in _MULTIWORD_TYPES or after.text in (".", "("):
            scanned = scan_type(self.tokens, at)
            if scanned is not None and self.token_at(scanned[1]).kind is Lex.STRING:
                return self._typed_literal(scanned[0], scanned[1])
        return self.name(at)

    def _typed_literal(self, type: str, at: int) -> int:
        value = self.tokens[at].value
        fields = ""
        at += 1
        if type == "bpchar(1)" and self.token_at(at - 2).text != ")":
            type = "bpchar"  # before a constant, a character type without size takes any length
        elif type == "bit(1)" and self.token_at(at - 2).text != ")":
            raise Unvetted("a bit constant without size")
        if type.startswith("interval "):
            raise Unvetted("an interval's fields before its value")
        if (
            type.startswith("interval")
            and self.token_at(at).value in _INTERVAL_FIELDS
            and self.token_at(at).kind is Lex.WORD
        ):
            scanned = scan_type([Token(Lex.WORD, "interval", "interval", 0), *self.tokens[at : at + 6]], 0)
            assert scanned is not None
            fields = scanned[0]
            at += scanned[1] - 1
        self.emit_constant(Cast(Literal("string", value), fields or type))
        return at

    def name(self, at: int) -> int:
        """An identifier; before a `(` it is a function (or a name with a column list: `plain` undoes that)."""
        token = self.tokens[at]
        name = token.value
        if name.startswith("og$"):
            raise Unvetted(f"the name {name!r} begins with og$")
        if "\x00" in name or not name:
            raise Unvetted("an empty name")
        after = self.token_at(at + 1)
        if after.text == "(" and after.kind is Lex.PUNCT:
            if token.kind is Lex.WORD and self.token_at(at - 1).text != ".":
                if name in self.forms.unknown:
                    raise Unvetted(f"{name.upper()}()")
                if name in self.forms.known and (done := self._special(at)):
                    return done
            name = "og$f$" + name
        self.out.append('"' + name.replace('"', '""') + '"')
        return at + 1

    def _special(self, at: int) -> int:
        close = self.close(at + 1)
        form = self.forms.read(self.tokens[at].value, self.tokens, at + 2, close)
        if form is None:
            return 0
        special, spans = form
        self.out.append(f'"og$x{len(self.specials)}" (')
        self.specials.append(special)
        for number, (first, last) in enumerate(spans):
            if number:
                self.out.append(",")
            if first == last:
                raise Unvetted(f"{special.function}() without an operand")
            self.clauses.append("")
            self.run(first, last)
            self.clauses.pop()
        self.out.append(")")
        return close + 1

    def _value_word(self, at: int) -> int:
        """CURRENT_TIMESTAMP(3), USER, …"""
        word = self.tokens[at].value
        if self.token_at(at + 1).text == "(":
            if word == "current_schema":
                return self.name(at)
            if self.token_at(at + 2).kind is not Lex.NUMBER or self.token_at(at + 3).text != ")":
                raise Unvetted(f"{word.upper()}()")
            text = f"{word.upper()}({self.token_at(at + 2).text})"
            at += 3
        else:
            text = word.upper()
        self.emit_constant(Template((text,), (), Volatility.STABLE, name=word))
        return at + 1


def _matching(tokens: list[Token]) -> dict[int, int]:
    """Where each opening parenthesis or bracket closes; unbalanced ones are absent."""
    closers: dict[int, int] = {}
    open_: list[int] = []
    pairs = {")": "(", "]": "["}
    for at, token in enumerate(tokens):
        if token.kind is not Lex.PUNCT:
            continue
        if token.text in "([":
            open_.append(at)
        elif token.text in pairs:
            if not open_ or tokens[open_[-1]].text != pairs[token.text]:
                raise Unvetted(f"this {token.text}")
            closers[open_.pop()] = at
    return closers
