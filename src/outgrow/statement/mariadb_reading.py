"""MariaDB's tokens as the disguise reads them: what only MariaDB writes so is rewritten, what differs is refused.

LIMIT a, b              → LIMIT b OFFSET a          a <=> b            → a IS NOT DISTINCT FROM b
INTERVAL n DAY          → interval(n, day)          a DIV b, a REGEXP b → operators of these names
CAST(x AS t), CONVERT   → special forms             a MOD b, &&, ||    → %, AND, OR
NOW, CURRENT_DATE, …    → calls                     FROM DUAL          → nothing
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from outgrow.schema import FUNCTIONS, SEPARATED
from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.mariadb_words import FRAMES, check_token
from outgrow.statement.special import Spans, Special, special_form
from outgrow.statement.unvetted import Unvetted

_UNITS = frozenset(
    words(
        "microsecond second minute hour day week month quarter year second_microsecond minute_microsecond "
        "minute_second hour_microsecond hour_second hour_minute day_microsecond day_second day_minute day_hour "
        "year_month"
    )
)
#: Functions of the moment and of the session that are written without parentheses.
_BARE = frozenset(
    words(
        "current_date current_time current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp "
        "current_user current_role"
    )
)
#: Functions with a grammar of their own, and the names by which their forms go in the disguise.
FORMS = {
    "interval": "mariadb interval",
    "cast": "mariadb cast",
    "convert": "mariadb convert",
    "timestampdiff": "mariadb unit timestampdiff",
    "timestampadd": "mariadb unit timestampadd",
    **{name: name for name in ("extract", "substring", "position", "trim")},
}
SPECIAL = frozenset(FORMS.values())
#: Forms that begin with a unit or a side.
_WORD_FIRST = frozenset(("extract", "timestampdiff", "timestampadd", "trim"))
_FIRST = _UNITS | {"leading", "trailing", "both"}
_OPERATORS = {"div": "div", "regexp": "regexp", "rlike": "regexp"}
#: Words behind which an operand begins.
_BEFORE_OPERANDS = frozenset(
    words("select distinct all where and or not on having by when then else case in like between is limit offset as")
)
_COMPARABLE = (Lex.QUOTED, Lex.STRING, Lex.NUMBER, Lex.PARAM, Lex.BITS)
_TYPE_WORDS = frozenset(
    words(
        "signed unsigned integer int char character varchar binary varbinary date datetime time year decimal dec "
        "numeric double float precision nchar set charset utf8mb4 utf8mb3 utf8 latin1 ascii json uuid inet6 inet4"
    )
)
_TYPE = re.compile(r"[A-Z]\w*(?: [A-Z]\w*)*(?:\(\d+(?:, \d+)?\))?(?: [A-Z]\w*)*")


def read(tokens: Sequence[Token]) -> list[Token]:
    """Raises Unvetted for a token that does not mean what it would be taken for."""
    return _Reader(list(tokens)).run(0, len(tokens))


def form(word: str, tokens: Sequence[Token], start: int, end: int) -> tuple[Special, Spans] | None:
    """`special_form` of MariaDB: the form between `start` and `end`, with the operands' spans."""
    if word == "mariadb interval":
        unit = tokens[end - 1].value.upper()
        return Special(("INTERVAL ", f" {unit}"), "coalesce", ""), [(start, end - 2)]
    if word == "mariadb cast":
        at = _last(tokens, start, end, "as")
        return Special(("CAST(", f" AS {_typed(tokens, at + 1, end)})"), "coalesce", ""), [(start, at)]
    if word == "mariadb convert":
        using = _last(tokens, start, end, "using", missing=True)
        at = _last(tokens, start, end, ",") if using < 0 else using
        said = f" USING {_typed(tokens, at + 1, end)})" if using >= 0 else f", {_typed(tokens, at + 1, end)})"
        return Special(("CONVERT(", said), "coalesce", ""), [(start, at)]
    if word.startswith("mariadb unit "):
        name, unit = word.rsplit(" ", 1)[1], tokens[start].value
        comma = _last(tokens, start, end, ",")
        if unit not in _UNITS or tokens[start + 1].text != "," or comma == start + 1:
            raise Unvetted(f"this {name.upper()}()")
        return Special((f"{name.upper()}({unit.upper()}, ", ", ", ")"), name, ""), [
            (start + 2, comma),
            (comma + 1, end),
        ]
    found = special_form(word, tokens, start, end)
    if word == "extract" and found is not None:
        if tokens[start].value not in _UNITS:
            raise Unvetted("this EXTRACT()")
        return found[0]._replace(pieces=(f"EXTRACT({tokens[start].value.upper()} FROM ", ")")), found[1]
    return found


def _last(tokens: Sequence[Token], start: int, end: int, text: str, missing: bool = False) -> int:
    """Where the word or sign stands for the last time outside of inner parentheses."""
    depth, found = 0, -1
    for at in range(start, end):
        depth += (tokens[at].text == "(") - (tokens[at].text == ")")
        if depth == 0 and tokens[at].kind in (Lex.WORD, Lex.PUNCT) and tokens[at].value == text:
            found = at
    if found < 0 and not missing:
        raise Unvetted(f"a form without {text.upper()}")
    return found


def _typed(tokens: Sequence[Token], start: int, end: int) -> str:
    """A type, or a character set, of CAST and CONVERT, as SQL."""
    parts = []
    for token in tokens[start:end]:
        known = token.kind is Lex.WORD and token.text.lower() in _TYPE_WORDS
        if not known and not (token.kind is Lex.NUMBER and token.text.isdigit()) and token.text not in ("(", ")", ","):
            raise Unvetted(f"the type {token.text}")
        parts.append(token.text.upper())
    text = " ".join(parts).replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    if not _TYPE.fullmatch(text):
        raise Unvetted(f"the type {text}")
    return text


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.out: list[Token] = []
        #: For each open parenthesis: it holds a window's definition.
        self.windows: list[bool] = []

    def at(self, place: int) -> Token:
        return self.tokens[place] if 0 <= place < len(self.tokens) else _END

    def word(self, text: str, like: Token) -> Token:
        return Token(Lex.WORD, text, text, like.start)

    def run(self, start: int, end: int) -> list[Token]:
        at = start
        while at < end:
            at = self._next(at)
        return self.out

    def _next(self, at: int) -> int:
        token = self.tokens[at]
        lower = token.text.lower() if token.kind is Lex.WORD else token.text
        if self.at(at - 1).text != "." or token.kind is not Lex.WORD:
            handler = _HANDLERS.get(lower)
            done = handler(self, at) if handler is not None else 0
            if done:
                return done
            if token.kind is Lex.WORD and self.at(at + 1).text == "(" and lower in FORMS:
                return self._form(at, lower)
            if token.kind is Lex.WORD and lower in FUNCTIONS and self._called(at):
                self.out.append(Token(Lex.QUOTED, token.text, lower, token.start))
                return at + 1
            in_window = bool(self.windows and self.windows[-1])
            check_token(self.tokens, at, in_window=in_window)
            if in_window and lower in FRAMES:
                token = token._replace(value=lower)
        if token.text == "(":
            self.windows.append(self.at(at - 1).text.lower() == "over")
        elif token.text == ")" and self.windows:
            self.windows.pop()
        self.out.append(token)
        return at + 1

    def _called(self, at: int) -> bool:
        """A function by its parenthesis, and not a name with a list of columns behind it."""
        before = self.at(at - 1)
        return self.at(at + 1).text == "(" and not (
            before.kind is Lex.WORD and before.value in ("into", "with", "join")
        )

    def operand_before(self) -> bool:
        """An operator may follow what was read."""
        if not self.out:
            return False
        last = self.out[-1]
        if last.kind is Lex.WORD:
            return last.value not in _BEFORE_OPERANDS
        return last.kind in _COMPARABLE or last.text == ")"

    def _form(self, at: int, name: str) -> int:
        token = self.tokens[at]
        self.out.append(Token(Lex.WORD, token.text, FORMS[name], token.start))
        end = self.close(at + 1)
        self.out.append(self.tokens[at + 1])
        split = end
        if name in ("cast", "convert"):
            # The type is nothing to vet: `form` knows it.
            split = max(
                _last(self.tokens, at + 2, end, "as" if name == "cast" else ",", missing=True),
                _last(self.tokens, at + 2, end, "using", missing=True) if name == "convert" else -1,
            )
            split = split if split > 0 else end
        first = at + 2
        if name in _WORD_FIRST and self.tokens[first].kind is Lex.WORD and self.tokens[first].text.lower() in _FIRST:
            self.out.append(self.tokens[first]._replace(value=self.tokens[first].text.lower()))
            first += 1
        depth = len(self.windows)
        self.windows.append(False)
        self.run(first, split)
        del self.windows[depth:]
        self.out += self.tokens[split : end + 1]
        return end + 1

    def close(self, opening: int) -> int:
        depth = 0
        for at in range(opening, len(self.tokens)):
            depth += (self.tokens[at].text == "(") - (self.tokens[at].text == ")")
            if depth == 0:
                return at
        raise Unvetted("a parenthesis that is never closed")


_END = Token(Lex.PUNCT, "", "", 0)


def _operator(reader: _Reader, at: int) -> int:
    """DIV, REGEXP, RLIKE, and NOT before the latter two."""
    token = reader.tokens[at]
    if token.kind is not Lex.WORD:
        return 0
    name = _OPERATORS[token.text.lower()]
    if name == "regexp" and reader.out and reader.out[-1].kind is Lex.WORD and reader.out[-1].value == "not":
        negation = reader.out.pop()
        if not reader.operand_before():
            reader.out.append(negation)
            return 0
        name = "not regexp"
    elif not reader.operand_before():
        return 0
    reader.out.append(Token(Lex.OP, name, name, token.start))
    return at + 1


def _modulo(reader: _Reader, at: int) -> int:
    if not reader.operand_before():
        return 0
    reader.out.append(Token(Lex.OP, "%", "%", reader.tokens[at].start))
    return at + 1


def _logical(word: str) -> Callable[[_Reader, int], int]:
    def handle(reader: _Reader, at: int) -> int:
        reader.out.append(reader.word(word, reader.tokens[at]))
        return at + 1

    return handle


def _same(reader: _Reader, at: int) -> int:
    reader.out += [reader.word(word, reader.tokens[at]) for word in ("is", "not", "distinct", "from")]
    return at + 1


def _interval(reader: _Reader, at: int) -> int:
    """INTERVAL expression unit."""
    depth = 0
    for end in range(at + 1, len(reader.tokens)):
        token = reader.tokens[end]
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0 or (depth == 0 and token.text == ","):
            break
        if depth == 0 and end > at + 1 and token.kind is Lex.WORD and token.text.lower() in _UNITS:
            if reader.at(end + 1).text in ("(", "."):
                continue
            unit = token._replace(value=token.text.lower())
            reader.out += [reader.word(FORMS["interval"], reader.tokens[at]), _sign("(", token)]
            reader.windows.append(False)
            reader.run(at + 1, end)
            reader.windows.pop()
            reader.out += [_sign(",", token), unit, _sign(")", token)]
            return end + 1
    raise Unvetted("INTERVAL without its unit")


def _sign(text: str, like: Token) -> Token:
    return Token(Lex.PUNCT, text, text, like.start)


def _separator(reader: _Reader, at: int) -> int:
    """GROUP_CONCAT(… SEPARATOR 'x') is an aggregate of another name, which no fragment can hold."""
    depth = 0
    if reader.at(at + 1).kind is Lex.STRING and reader.at(at + 2).text == ")":
        for place in range(len(reader.out) - 1, 0, -1):
            depth += (reader.out[place].text == ")") - (reader.out[place].text == "(")
            if depth < 0 and reader.out[place - 1].value == "group_concat":
                reader.out[place - 1] = reader.out[place - 1]._replace(value=SEPARATED)
                return at + 2
            if depth < 0:
                break
    raise Unvetted("SEPARATOR here")


def _bare(reader: _Reader, at: int) -> int:
    """CURRENT_DATE as a call."""
    token = reader.tokens[at]
    if token.kind is not Lex.WORD:
        return 0
    reader.out.append(Token(Lex.QUOTED, token.text, token.text.lower(), token.start))
    if reader.at(at + 1).text != "(":
        reader.out += [_sign("(", token), _sign(")", token)]
    return at + 1


def _dual(reader: _Reader, at: int) -> int:
    if reader.at(at + 1).kind is Lex.WORD and reader.at(at + 1).text.lower() == "dual":
        return at + 2
    return 0


def _limit(reader: _Reader, at: int) -> int:
    """`LIMIT a, b`: b rows behind the first a."""
    if reader.at(at + 2).text != ",":
        return 0
    token, skipped, count = reader.tokens[at], reader.at(at + 1), reader.at(at + 3)
    if skipped.kind not in (Lex.NUMBER, Lex.PARAM) or count.kind not in (Lex.NUMBER, Lex.PARAM):
        raise Unvetted("this LIMIT")
    reader.out += [reader.word("limit", token), count, reader.word("offset", token), skipped]
    return at + 4


def _truth(reader: _Reader, at: int) -> int:
    """TRUE and FALSE are the numbers 1 and 0, but for IS TRUE."""
    token = reader.tokens[at]
    before = reader.at(at - 1)
    if token.kind is not Lex.WORD or (before.kind is Lex.WORD and before.value in ("is", "not", "by")):
        return 0
    digit = "1" if token.text.lower() == "true" else "0"
    reader.out.append(Token(Lex.NUMBER, digit, digit, token.start))
    return at + 1


def _for(reader: _Reader, at: int) -> int:
    """FOR UPDATE [NOWAIT | SKIP LOCKED] at the end."""
    rest = [token.text.lower() for token in reader.tokens[at + 1 :] if token.text != ";"]
    if rest not in (["update"], ["update", "nowait"], ["update", "skip", "locked"]):
        raise Unvetted("FOR here")
    reader.out += [reader.word(word, reader.tokens[at]) for word in ("for", *rest)]
    return len(reader.tokens)


def _lock(reader: _Reader, at: int) -> int:
    """LOCK IN SHARE MODE."""
    rest = [token.text.lower() for token in reader.tokens[at:]]
    if rest != ["lock", "in", "share", "mode"]:
        raise Unvetted("LOCK here")
    reader.out += [reader.word(word, reader.tokens[at]) for word in ("for", "share")]
    return len(reader.tokens)


def _collate(reader: _Reader, at: int) -> int:
    name = reader.at(at + 1)
    if not reader.operand_before() or name.kind not in (Lex.WORD, Lex.QUOTED):
        raise Unvetted("COLLATE here")
    reader.out += [reader.word("collate", reader.tokens[at]), name._replace(kind=Lex.WORD, value=name.value.lower())]
    return at + 2


def _escape(reader: _Reader, at: int) -> int:
    if reader.at(at + 1).kind is not Lex.STRING or not reader.operand_before():
        return 0
    reader.out.append(reader.word("escape", reader.tokens[at]))
    return at + 1


_HANDLERS: dict[str, Callable[[_Reader, int], int]] = {
    **dict.fromkeys(_OPERATORS, _operator),
    **dict.fromkeys(_BARE, _bare),
    **dict.fromkeys(("true", "false"), _truth),
    "mod": _modulo,
    "&&": _logical("and"),
    "||": _logical("or"),
    "<=>": _same,
    "interval": _interval,
    "from": _dual,
    "limit": _limit,
    "separator": _separator,
    "for": _for,
    "lock": _lock,
    "collate": _collate,
    "escape": _escape,
    "distinctrow": _logical("distinct"),
}
