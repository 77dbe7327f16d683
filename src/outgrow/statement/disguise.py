"""The text that the parser gets to see: clause words, quoted names, standard operators, and markers.

The parser (sqlglot, Postgres dialect, compiled, so not to be subclassed) rewrites functions, types, literals and
operators as it reads them, and takes some words for keywords that PostgreSQL does not.  So nothing of that kind reaches
it.  Each constant, parameter, type, collation and special form is stored in a list here and stands in the text as a
quoted name `"og$…"`:

    og$kN   constant or parameter N        og$tN   type N           og$cN   collation N
    og$oN   operator N, between two `||`   og$uN   prefix operator N, before one `||`
    og$f$x  function x                     og$xN   special form N (EXTRACT, SUBSTRING … FROM, …), og$any, og$all,
    og$row, og$arr, og$exists, og$sub      … as functions

All of PostgreSQL's "other" operators share one precedence, that of `||`, so disguising each as `|| marker ||` parses
them right whatever they are.  Words that are keywords only in some places are judged by their neighbours, as
PostgreSQL's grammar would.
"""

from __future__ import annotations

from outgrow.schema import Volatility
from outgrow.statement.keywords import RESERVED, VALUE_WORDS
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.quoting import name_sql
from outgrow.statement.special import SPECIAL, UNKNOWN_FORMS, Special, special_form
from outgrow.statement.tree import Cast, Expr, Literal, Parameter, Template
from outgrow.statement.typenames import scan_type


class Unvetted(Exception):
    """outgrow does not understand this for certain; the message names the construct."""


_STANDARD = frozenset(["+", "-", "*", "/", "%", "^", "<", ">", "=", "<=", ">=", "<>", "!="])
_MULTIWORD_TYPES = frozenset("double timestamp time interval character char national nchar bit varchar".split())
_INTERVAL_FIELDS = frozenset("year month day hour minute second".split())
_FRAME_WORDS = frozenset(
    "rows range groups between unbounded preceding following current row and exclude no others group ties interval".split()
)
#: Reserved words that may follow a comma.
_BEGIN_A_VALUE = frozenset(
    "array case cast not null true false default lateral only any all some left right variadic distinct".split()
)
_END_A_VALUE = frozenset("null true false end default asc desc all".split())
#: Unreserved words that a constant may follow.
_BEFORE_A_CONSTANT = frozenset("by first next zone escape".split())
_CLAUSES = frozenset("window group from where having order select set values returning limit offset".split())
COUNTED = ("and", "when", "then", "where")
_END = Token(Lex.PUNCT, "", "", 0)


class Disguise:
    """One run over one statement's significant tokens; `text` is for the parser, the lists undo the markers."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
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
        self._clauses = [""]
        self._operator_ends: set[int] = set()  # the parentheses that close OPERATOR(…)
        self._arrays = 0  # array constructors that are open
        self._windows: set[int] = set()  # depths at which a window specification is open
        self._writes = {t.value for t in tokens if t.kind is Lex.WORD and t.value in ("insert", "update")}
        self._closers = _matching(tokens)
        self._run(0, len(tokens))
        self.text = " ".join(self.out)

    # ── the run ──────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, at: int, end: int) -> None:
        while at < end:
            token = self.tokens[at]
            kind = token.kind
            if kind is Lex.WORD:
                at = self._word(at)
            elif kind is Lex.QUOTED:
                at = self._name(at)
            elif kind is Lex.PUNCT:
                at = self._punctuation(at)
            elif kind is Lex.OP:
                at = self._operator(at)
            else:
                at = self._constant(at)

    def _at(self, at: int) -> Token:
        return self.tokens[at] if 0 <= at < len(self.tokens) else _END

    def _is(self, at: int, *words: str) -> bool:
        """The tokens from `at` on are these words."""
        return all(
            self._at(at + i).kind is Lex.WORD and self.tokens[at + i].value == word for i, word in enumerate(words)
        )

    def _operand_before(self, at: int) -> bool:
        before = self._at(at - 1)
        if at - 1 in self._operator_ends:
            return False
        if before.kind is Lex.WORD:
            if before.value == "by" and any(self._is(at - 2, word) for word in ("group", "order", "partition")):
                return False
            return before.value not in RESERVED or before.value in ("null", "true", "false", "end", *VALUE_WORDS)
        return before.kind in (Lex.QUOTED, Lex.STRING, Lex.BITS, Lex.NUMBER, Lex.PARAM) or before.text in (")", "]")

    def _emit_constant(self, value: Expr) -> None:
        self.out.append(f'"og$k{len(self.constants)}"')
        self.constants.append(value)

    def _constant(self, at: int) -> int:
        token = self.tokens[at]
        if self._operand_before(at) and self._at(at - 1).value not in _BEFORE_A_CONSTANT:
            raise Unvetted(f"{token.text} right after another value")
        if token.kind is Lex.PARAM:
            self._emit_constant(Parameter(int(token.text[1:])))
        elif token.kind is Lex.NUMBER:
            self._emit_constant(Literal("number", token.text))
        elif token.kind is Lex.BITS:
            self._emit_constant(Template((token.text,), ()))
        else:
            self._emit_constant(Literal("string", token.value))
        return at + 1

    # ── punctuation and operators ────────────────────────────────────────────────────────────────────────────

    def _punctuation(self, at: int) -> int:
        text = self.tokens[at].text
        if text == "(":
            if self._is(at - 1, "over") or (self._is(at - 1, "as") and self._clauses[-1] == "window"):
                self._windows.add(len(self._clauses))
            self._clauses.append("")
        elif text == ")":
            self._windows.discard(len(self._clauses) - 1)
            self._clauses.pop()
        elif text == "[" and not self._operand_before(at):
            if not self._arrays or self._at(at - 1).text not in ("[", ","):
                raise Unvetted("this bracket")
            return self._array(at)
        elif text == ".":
            before, after = self._at(at - 1), self._at(at + 1)
            named = self._operand_before(at) or (before.kind is Lex.WORD and self._at(at - 2).text == ".")
            if not named or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "*"):
                raise Unvetted("this dot")
        elif text == ",":
            self._check_comma(at)
        self.out.append(text)
        return at + 1

    def _check_comma(self, at: int) -> None:
        """The parser forgives a comma too many, and knows MySQL's `LIMIT a, b`."""
        before, after = self._at(at - 1), self._at(at + 1)
        named = before.kind is Lex.WORD and (self._is(at - 2, "as") or self._at(at - 2).text == ".")
        opens = not (self._operand_before(at) or before.text == "*" or before.value in _END_A_VALUE or named)
        closes = after.kind is Lex.PUNCT and after.text in (")", "]", ",") or (
            after.kind is Lex.WORD and after.value in RESERVED and after.value not in _BEGIN_A_VALUE
        )
        if opens or closes or after is _END or self._clauses[-1] in ("limit", "offset"):
            raise Unvetted("this comma")

    def _array(self, at: int) -> int:
        """The brackets of an array constructor: `ARRAY[…]`, or `[…]` directly within one."""
        close = self._close(at)
        self.out.append('"og$arr" (')
        self._arrays += 1
        self._run(at + 1, close)
        self._arrays -= 1
        self.out.append(")")
        return close + 1

    def _operator(self, at: int) -> int:
        text = self.tokens[at].text
        if text == "::":
            return self._typed(at + 1, "::")
        if text in ("=>", ":="):
            self.out.append("=>")
            return at + 1
        if text in _STANDARD:
            # The parser drops a unary plus, but keeps ~, which never reaches it otherwise.
            self.out.append("~" if text == "+" and not self._operand_before(at) else text)
            return at + 1
        if text == "..":
            raise Unvetted("'..'")
        return self._other_operator(at, text, at + 1)

    def _other_operator(self, at: int, text: str, after: int) -> int:
        index = len(self.operators)
        self.operators.append(text)
        self.out.append(f'|| "og$o{index}" ||' if self._operand_before(at) else f'"og$u{index}" ||')
        return after

    def _typed(self, at: int, before: str) -> int:
        scanned = scan_type(self.tokens, at)
        if scanned is None:
            raise Unvetted(f"the type {self._at(at).text!r}")
        type, at = scanned
        if self._at(at).text == "(":
            raise Unvetted(f"the size of the type {type}")
        self.out.append(f'{before} "og$t{len(self.types)}"')
        self.types.append(type)
        return at

    def _close(self, at: int) -> int:
        close = self._closers.get(at)
        if close is None:
            raise Unvetted(f"{self._at(at).text!r} is never closed")
        return close

    # ── words ────────────────────────────────────────────────────────────────────────────────────────────────

    def _word(self, at: int) -> int:
        token = self.tokens[at]
        word = token.value
        before, after = self._at(at - 1), self._at(at + 1)
        if before.text == "." and before.kind is Lex.PUNCT:
            return self._name(at)
        if self._is(at - 1, "as") and not self._structural_after_as(at):
            return self._name(at)
        if word in COUNTED:
            self.counts[word] += 1
        if word in _HANDLERS:
            done = _HANDLERS[word](self, at)
            if done:
                return done
        elif word in RESERVED:
            if word in ("left", "right") and after.text == "(":
                return self._name(at)
            self._keyword(word)
            return at + 1
        elif word in VALUE_WORDS:
            return self._value_word(at)
        return self._literal_or_name(at)

    def _keyword(self, word: str) -> None:
        if word in _CLAUSES:
            self._clauses[-1] = word
        self.out.append(word.upper())

    def _structural_after_as(self, at: int) -> bool:
        if self._is(at, "materialized") or self._is(at, "not", "materialized"):
            return self._at(at + 1 + self._is(at, "not")).text == "("
        return False

    def _literal_or_name(self, at: int) -> int:
        """`int8 '42'`, `timestamp with time zone '…'`, or a plain name."""
        token, after = self.tokens[at], self._at(at + 1)
        if after.kind is Lex.STRING or token.value in _MULTIWORD_TYPES or after.text in (".", "("):
            scanned = scan_type(self.tokens, at)
            if scanned is not None and self._at(scanned[1]).kind is Lex.STRING:
                return self._typed_literal(scanned[0], scanned[1])
        return self._name(at)

    def _typed_literal(self, type: str, at: int) -> int:
        value = self.tokens[at].value
        fields = ""
        at += 1
        if type.startswith("interval "):
            raise Unvetted("an interval's fields before its value")
        if type.startswith("interval") and self._at(at).value in _INTERVAL_FIELDS and self._at(at).kind is Lex.WORD:
            scanned = scan_type([Token(Lex.WORD, "interval", "interval", 0), *self.tokens[at : at + 6]], 0)
            assert scanned is not None
            fields = scanned[0]
            at += scanned[1] - 1
        self._emit_constant(Cast(Literal("string", value), fields or type))
        return at

    def _name(self, at: int) -> int:
        """An identifier; before a `(` it is a function (or a name with a column list: `plain` undoes that)."""
        token = self.tokens[at]
        name = token.value
        if name.startswith("og$"):
            raise Unvetted(f"the name {name!r} begins with og$")
        if "\x00" in name or not name:
            raise Unvetted("an empty name")
        after = self._at(at + 1)
        if after.text == "(" and after.kind is Lex.PUNCT:
            if token.kind is Lex.WORD and self._at(at - 1).text != ".":
                if name in UNKNOWN_FORMS:
                    raise Unvetted(f"{name.upper()}()")
                if name in SPECIAL and (done := self._special(at)):
                    return done
            name = "og$f$" + name
        self.out.append('"' + name.replace('"', '""') + '"')
        return at + 1

    def _special(self, at: int) -> int:
        close = self._close(at + 1)
        form = special_form(self.tokens[at].value, self.tokens, at + 2, close)
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
            self._clauses.append("")
            self._run(first, last)
            self._clauses.pop()
        self.out.append(")")
        return close + 1

    def _value_word(self, at: int) -> int:
        """CURRENT_TIMESTAMP(3), USER, …"""
        word = self.tokens[at].value
        if self._at(at + 1).text == "(":
            if word == "current_schema":
                return self._name(at)
            if self._at(at + 2).kind is not Lex.NUMBER or self._at(at + 3).text != ")":
                raise Unvetted(f"{word.upper()}()")
            text = f"{word.upper()}({self._at(at + 2).text})"
            at += 3
        else:
            text = word.upper()
        self._emit_constant(Template((text,), (), Volatility.STABLE, name=word))
        return at + 1

    # ── words that are keywords in some places: 0 means "just a name here" ────────────────────────────────────

    def _constant_word(self, at: int) -> int:
        word = self.tokens[at].value
        if self._is(at - 1, "is") or self._is(at - 2, "is", "not"):
            self.out.append(word.upper())
        else:
            kind = "null" if word == "null" else "boolean"
            self._emit_constant(Literal(kind, word.upper() if kind == "null" else word))
        return at + 1

    def _default(self, at: int) -> int:
        if self._is(at + 1, "values"):
            self.out.append("DEFAULT VALUES")
            return at + 2
        self._emit_constant(Template(("DEFAULT",), ()))
        return at + 1

    def _as(self, at: int) -> int:
        before, after = self._at(at - 1), self._at(at + 1)
        named = self._operand_before(at) or before.text == "*" or before.kind is Lex.QUOTED
        if not named or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "("):
            raise Unvetted("this AS")
        self.out.append("AS")
        return at + 1

    def _from(self, at: int) -> int:
        """The parser knows queries that begin with FROM."""
        if at == 0 or self._at(at - 1).text == "(":
            raise Unvetted("FROM without SELECT")
        self._keyword("from")
        return at + 1

    def _in(self, at: int) -> int:
        if self._at(at + 1).text != "(":
            raise Unvetted("IN without parentheses")
        self.out.append("IN")
        return at + 1

    def _join(self, at: int) -> int:
        """JOIN alone becomes INNER JOIN, so that it differs from a comma even where ON is missing."""
        bare = not any(self._is(at - 1, word) for word in ("inner", "outer", "left", "right", "full", "cross"))
        natural = self._is(at - 1, "natural")
        self.out.append("INNER JOIN" if bare and not natural else "JOIN")
        return at + 1

    def _by(self, at: int) -> int:
        if not (self._is(at - 1, "group") or self._is(at - 1, "order")):
            return 0
        after = self._at(at + 1)
        ends = after.kind is Lex.WORD and after.value in ("having", "order", "limit", "window", "union", "offset")
        if ends or after is _END or after.text == ")":
            raise Unvetted("BY nothing")
        self.out.append("BY")
        return at + 1

    def _table(self, at: int) -> int:
        """`TABLE t` is `SELECT * FROM t`, without alias."""
        name = at + 1 + self._is(at + 1, "only")
        name += 2 if self._at(name + 1).text == "." else 0
        after = self._at(name + 1)
        if after.kind is Lex.QUOTED or (after.kind is Lex.WORD and (after.value not in RESERVED or after.value == "as")):
            raise Unvetted("an alias of TABLE")
        self.out.append("SELECT * FROM")
        return at + 1

    def _quantifier(self, at: int) -> int:
        """ANY, SOME and ALL after an operator and before a parenthesis; UNION ALL otherwise."""
        word, before = self.tokens[at].value, self._at(at - 1)
        compared = before.kind is Lex.OP or self._is(at - 1, "like") or self._is(at - 1, "ilike")
        if self._at(at + 1).text == "(" and (compared or before.text == ")" and self._is_operator_close(at - 1)):
            self.out.append('"og$all"' if word == "all" else '"og$any"')
            return at + 1
        if word != "all":
            raise Unvetted(f"{word.upper()} without a comparison")
        if self._is(at - 1, "limit"):
            self.out.pop()
            return at + 1
        self.out.append("ALL")
        return at + 1

    def _is_operator_close(self, at: int) -> bool:
        """The parenthesis at `at` ends `OPERATOR(…)`."""
        opening = next((o for o, c in self._closers.items() if c == at), -1)
        return self._is(opening - 1, "operator")

    def _before_parenthesis(self, at: int) -> int:
        """EXISTS, ROW: functions of the parser's; VALUES."""
        word = self.tokens[at].value
        if word == "row" and self._offset_rows(at):
            return at + 1
        if self._at(at + 1).text != "(":
            return 0
        if word == "values":
            self._keyword(word)
        else:
            self.out.append(f'"og${word}"')
        return at + 1

    def _offset_rows(self, at: int) -> bool:
        """The noise word of `OFFSET 5 ROWS`."""
        if self.tokens[at].value not in ("row", "rows"):
            return False
        opening = next((o for o, c in self._closers.items() if c == at - 1), at - 1)
        return self._is(opening - 1, "offset")

    def _array_word(self, at: int) -> int:
        if self._at(at + 1).text == "[":
            return self._array(at + 1)
        if self._at(at + 1).text == "(":
            self.out.append('"og$sub"')
            return at + 1
        raise Unvetted("ARRAY without brackets")

    def _cast(self, at: int) -> int:
        if self._at(at + 1).text != "(":
            return 0
        close = self._close(at + 1)
        depth, split = 0, -1
        for position in range(at + 2, close):
            depth += self.tokens[position].text in ("(", "[")
            depth -= self.tokens[position].text in (")", "]")
            if depth == 0 and self._is(position, "as"):
                split = position
        if split < 0:
            raise Unvetted("CAST without AS")
        self.out.append("CAST ( (")  # Precedence does not matter inside.
        self._clauses.append("")
        self._run(at + 2, split)
        self._clauses.pop()
        self.out.append(")")
        if self._typed(split + 1, "AS") != close:
            raise Unvetted("this CAST's type")
        self.out.append(")")
        return close + 1

    def _operator_word(self, at: int) -> int:
        if self._at(at + 1).text != "(":
            return 0
        close = self._close(at + 1)
        self._operator_ends.add(close)
        text = "".join(token.text if token.kind is Lex.OP else _part(token) for token in self.tokens[at + 2 : close])
        return self._other_operator(at, f"operator({text})", close + 1)

    def _collate(self, at: int) -> int:
        names, at = [], at + 1
        while self._at(at).kind in (Lex.WORD, Lex.QUOTED):
            names.append(name_sql(self.tokens[at].value))
            at += 1
            if self._at(at).text != ".":
                break
            at += 1
        self.out.append(f'COLLATE "og$c{len(self.collations)}"')
        self.collations.append(".".join(names))
        return at

    def _escape(self, at: int) -> int:
        if not self._operand_before(at) or self._at(at + 1).kind not in (Lex.STRING, Lex.PARAM):
            return 0
        return self._other_operator(at, "escape", at + 1)

    def _null_test(self, at: int) -> int:
        self.out.append("IS NULL" if self.tokens[at].value == "isnull" else "IS NOT NULL")
        return at + 1

    def _at_time_zone(self, at: int) -> int:
        if not self._is(at, "at", "time", "zone"):
            return 0
        self.out.append("AT TIME ZONE")
        return at + 3

    def _pair(self, at: int) -> int:
        """Two words that are keywords only together."""
        word, after = self.tokens[at].value, self._at(at + 1).value
        if after not in _PAIRS[word] or self._at(at + 1).kind is not Lex.WORD:
            return 0
        self.out.append(f"{word.upper()} {after.upper()}")
        return at + 2

    def _follower(self, at: int) -> int:
        """Keywords only after certain words."""
        word = self.tokens[at].value
        if not any(self._is(at - 1, previous) for previous in _FOLLOWERS[word]):
            return 0
        if word == "materialized" and self._is(at - 1, "not") and not self._is(at - 2, "as"):
            raise Unvetted("MATERIALIZED without AS")
        self.out.append(word.upper())
        return at + 1

    def _after_call(self, at: int) -> int:
        """FILTER ( and OVER, after the parenthesis that closes a call; WITHIN GROUP."""
        word, after = self.tokens[at].value, self._at(at + 1)
        if self._at(at - 1).text != ")":
            return 0
        if word == "within" and not self._is(at + 1, "group"):
            return 0
        if word == "filter" and after.text != "(":
            return 0
        if word == "over" and after.text != "(" and after.kind not in (Lex.WORD, Lex.QUOTED):
            return 0
        self.out.append(word.upper())
        if word == "over" and after.text != "(":
            return self._name(at + 1)
        if word == "within":
            self.out.append("GROUP")
            return at + 2
        return at + 1

    def _frame(self, at: int) -> int:
        """The frame clause, up to the closing parenthesis of the window, becomes a numbered dummy."""
        depth = len(self._clauses) - 1
        after = self._at(at + 1)
        if self._offset_rows(at):
            return at + 1
        if depth not in self._windows or self._is(at - 1, "by") or self._at(at - 1).text == ",":
            return 0
        if after.kind not in (Lex.WORD, Lex.NUMBER, Lex.PARAM, Lex.STRING):
            return 0
        words, end, nesting = [], at, 0
        while end < len(self.tokens) and not (nesting == 0 and self.tokens[end].text == ")"):
            token = self.tokens[end]
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
        index = len(self.frames)
        self.frames.append(" ".join(words))
        self.out.append(f"ROWS BETWEEN {index} PRECEDING AND {index} FOLLOWING")
        return end

    def _for(self, at: int) -> int:
        """FOR UPDATE | NO KEY UPDATE | SHARE | KEY SHARE [OF t, …] [NOWAIT | SKIP LOCKED]"""
        for strength in (("update",), ("no", "key", "update"), ("share",), ("key", "share")):
            if self._is(at + 1, *strength):
                self.out.append("FOR " + " ".join(strength).upper())
                at += 1 + len(strength)
                break
        else:
            raise Unvetted(f"FOR {self._at(at + 1).text}")
        if self._is(at, "of"):
            self.out.append("OF")
            at = self._name(at + 1)
            while self._at(at).text == ",":
                self.out.append(",")
                at = self._name(at + 1)
        if self._is(at, "nowait"):
            self.out.append("NOWAIT")
            at += 1
        elif self._is(at, "skip", "locked"):
            self.out.append("SKIP LOCKED")
            at += 2
        return at

    def _fetch(self, at: int) -> int:
        """FETCH FIRST n ROWS ONLY is LIMIT n."""
        if not (self._is(at + 1, "first") or self._is(at + 1, "next")):
            raise Unvetted("FETCH")
        start = end = at + 2
        while end < len(self.tokens) and not (self._is(end, "row") or self._is(end, "rows")):
            end = self._closers.get(end, end) + 1
        ties = self._is(end + 1, "with", "ties")
        if not ties and not self._is(end + 1, "only"):
            raise Unvetted("FETCH without ROWS ONLY or WITH TIES")
        self.out.append("FETCH FIRST" if ties else "LIMIT")
        if start == end:
            self._emit_constant(Literal("number", "1"))
        elif ties and end - start > 1:
            raise Unvetted("FETCH FIRST (expression) ROWS WITH TIES")
        else:
            self._run(start, end)
        if ties:
            self.out.append("ROWS WITH TIES")
        return end + 2 + ties

    def _grouping(self, at: int) -> int:
        """ROLLUP, CUBE and GROUPING SETS are keywords in GROUP BY only."""
        if self._is(at, "grouping", "sets"):
            self.out.append("GROUPING SETS")
            return at + 2
        if self.tokens[at].value == "grouping" or "group" not in self._clauses[-3:] or self._at(at + 1).text != "(":
            return 0
        self.out.append(self.tokens[at].value.upper())
        return at + 1

    def _insert(self, at: int) -> int:
        if not self._is(at, "insert", "into"):
            return 0
        self.out.append("INSERT INTO")
        return at + 2

    def _update(self, at: int) -> int:
        before = self._at(at - 1)
        if at and not (before.text in ("(", ")") or self._is(at - 1, "do")):
            return 0
        self.out.append("UPDATE")
        return at + 1

    def _set(self, at: int) -> int:
        """SET begins the assignments of an UPDATE; a name elsewhere."""
        after = self._at(at + 1)
        if not self._writes or not (after.kind in (Lex.WORD, Lex.QUOTED) or after.text == "("):
            return 0
        if after.kind is Lex.WORD and after.value in RESERVED:
            return 0
        self._keyword("set")
        return at + 1

    def _conflict(self, at: int) -> int:
        if "insert" not in self._writes or not self._is(at - 1, "on"):
            return 0
        if self._at(at + 1).text != "(" and not self._is(at + 1, "do") and not self._is(at + 1, "on", "constraint"):
            return 0
        self.out.append("CONFLICT")
        if self._is(at + 1, "on", "constraint"):
            self.out.append("ON CONSTRAINT")
            return at + 3
        return at + 1

    def _override(self, at: int) -> int:
        if not (self._is(at + 1, "system", "value") or self._is(at + 1, "user", "value")):
            return 0
        if self.overriding or self._at(at - 1).text == "," or self._at(at - 1).text == "(":
            raise Unvetted("OVERRIDING twice")
        self.overriding = f"OVERRIDING {self._at(at + 1).value.upper()} VALUE"
        return at + 3

    def _sample(self, at: int) -> int:
        raise Unvetted("TABLESAMPLE")


def _part(token: Token) -> str:
    return name_sql(token.value) if token.kind in (Lex.WORD, Lex.QUOTED) else token.text


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
_HANDLERS = {
    **dict.fromkeys(("null", "true", "false"), Disguise._constant_word),
    **dict.fromkeys(("any", "some", "all"), Disguise._quantifier),
    **dict.fromkeys(("exists", "row", "values"), Disguise._before_parenthesis),
    **dict.fromkeys(("isnull", "notnull"), Disguise._null_test),
    **dict.fromkeys(_PAIRS, Disguise._pair),
    **dict.fromkeys(_FOLLOWERS, Disguise._follower),
    **dict.fromkeys(("filter", "over", "within"), Disguise._after_call),
    **dict.fromkeys(("rows", "range", "groups"), Disguise._frame),
    **dict.fromkeys(("rollup", "cube", "grouping"), Disguise._grouping),
    "array": Disguise._array_word,
    "as": Disguise._as,
    "at": Disguise._at_time_zone,
    "by": Disguise._by,
    "cast": Disguise._cast,
    "collate": Disguise._collate,
    "conflict": Disguise._conflict,
    "default": Disguise._default,
    "escape": Disguise._escape,
    "fetch": Disguise._fetch,
    "for": Disguise._for,
    "from": Disguise._from,
    "in": Disguise._in,
    "insert": Disguise._insert,
    "join": Disguise._join,
    "operator": Disguise._operator_word,
    "overriding": Disguise._override,
    "set": Disguise._set,
    "table": Disguise._table,
    "tablesample": Disguise._sample,
    "update": Disguise._update,
}
