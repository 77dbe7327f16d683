"""Which words and signs mean the same in MariaDB as in what the parser is made for; the rest is not understood.

A word that only one of the two languages knows would be read as a name by the other one, and `t FULL JOIN u` has two
meanings.  So the list is of what is understood, never of what is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from outgrow.statement import commands, contextual
from outgrow.statement.keywords import FOREIGN, RESERVED, VALUE_WORDS, words
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.model import Effect, Kind
from outgrow.statement.special import SPECIAL, UNKNOWN_FORMS
from outgrow.statement.unvetted import Unvetted

_SHARED = frozenset(
    words(
        "select from where group by having order asc desc limit offset distinct all as on using join inner left right "
        "cross outer union except intersect and or not in is null like between case when then else end exists insert "
        "into values update set delete with true false default recursive returning for over partition"
    )
)
#: Reserved in MariaDB (10.11).
_RESERVED = frozenset(
    words(
        "accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call "
        "cascade case change char character check collate column condition constraint continue convert create "
        "cross current_date current_role current_time current_timestamp current_user cursor database databases "
        "day_hour day_microsecond day_minute day_second dec decimal declare default delayed delete "
        "delete_domain_id desc describe deterministic distinct distinctrow div do_domain_ids double drop dual each "
        "else elseif enclosed escaped except exists exit explain false fetch float float4 float8 for force foreign "
        "from fulltext general grant group having high_priority hour_microsecond hour_minute hour_second if ignore "
        "ignore_domain_ids ignore_server_ids in index infile inner inout insensitive insert int int1 int2 int3 "
        "int4 int8 integer intersect interval into is iterate join key keys kill leading leave left like limit "
        "linear lines load localtime localtimestamp lock long longblob longtext loop low_priority "
        "master_heartbeat_period master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext "
        "middleint minute_microsecond minute_second mod modifies natural not no_write_to_binlog null numeric "
        "offset on optimize option optionally or order out outer outfile over page_checksum parse_vcol_expr "
        "partition precision primary procedure purge range read reads read_write real recursive ref_system_id "
        "references regexp release rename repeat replace require resignal restrict return returning revoke right "
        "rlike row_number rows schema schemas second_microsecond select sensitive separator set show signal slow "
        "smallint spatial specific sql sqlexception sqlstate sqlwarning sql_big_result sql_calc_found_rows "
        "sql_small_result ssl starting stats_auto_recalc stats_persistent stats_sample_pages straight_join table "
        "terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique unlock unsigned "
        "update usage use using utc_date utc_time utc_timestamp values varbinary varchar varcharacter varying when "
        "where while window with write xor year_month zerofill"
    )
)
#: Reserved, and functions all the same before a parenthesis.
_CALLED = frozenset(words("if left right replace repeat mod row_number database schema utc_date utc_timestamp char"))
_SPECIAL_THERE = RESERVED | FOREIGN | VALUE_WORDS | SPECIAL | UNKNOWN_FORMS | frozenset(contextual.HANDLERS)
#: Words of PostgreSQL that are names in MariaDB, wherever no parenthesis follows.
NAMES = frozenset(
    words(
        "at user filter groups within operator conflict position overlay normalize nothing materialized array only "
        "verbose freeze isnull notnull symmetric asymmetric placing variadic tablesample overlaps similar authorization"
    )
)
#: Words whose case does not matter.
LANGUAGE = _SHARED | _RESERVED | _SPECIAL_THERE | commands.PARSED
FRAMES = frozenset(words("rows range unbounded preceding following current row"))
_BEFORE_STRINGS = _SHARED | frozenset(words("div mod regexp rlike interval escape separator leading trailing both"))
_SIGNS = frozenset(("+", "-", "*", "/", "%", "<", ">", "=", "<=", ">=", "<>", "!="))
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")
#: Bytes in hexadecimal, and doubles: no constant of theirs is compared with a key here.
_UNTYPED = re.compile(r"[xX]'(?:[0-9a-fA-F]{2})*'|(?:\d+(?:\.\d*)?|\.\d+)[eE][+-]?\d+")
_TRANSACTION = frozenset(words("begin start commit rollback savepoint release"))


def recognise(tokens: list[Token]) -> commands.Command | None:
    """The command; only queries, INSERT, UPDATE, DELETE and what a transaction is made of are understood."""
    first = next((token for token in tokens if token.text != "("), tokens[0])
    word = first.text.lower() if first.kind is Lex.WORD else ""
    if word in ("select", "with", "insert", "update", "delete", "replace"):
        return None
    if word in _TRANSACTION:
        lowered = [token._replace(value=token.value.lower()) if token.kind is Lex.WORD else token for token in tokens]
        command = commands.recognise([*lowered[:2], *tokens[2:]])
        if command is not None and command.command in _UNDERSTOOD and command.argument.strip() != "prepared":
            return command
    name = word.upper()
    return commands.Command(
        Kind.OPAQUE, name, effects=(Effect(f"{name or 'it'} is not understood in MariaDB", "unvetted"),)
    )


_UNDERSTOOD = frozenset(("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ROLLBACK TO"))


def check_token(tokens: Sequence[Token], at: int, *, in_window: bool) -> None:
    """Raise Unvetted for a token that does not mean the same to both; `in_window`: in the definition of a window."""
    token, before = tokens[at], tokens[at - 1] if at else None
    if token.kind is Lex.WORD:
        if before is None or before.text != ".":
            _check_word(token, tokens[at + 1].text if at + 1 < len(tokens) else "", in_window)
    elif token.kind is Lex.STRING:
        # A name before a string gives it a character set, or is an expression with the string as its alias.
        if before is not None and before.kind is Lex.WORD and before.value not in _BEFORE_STRINGS:
            raise Unvetted(f"{before.text} before a string")
    elif token.kind is Lex.OP:
        if token.text not in _SIGNS:
            raise Unvetted(f"the operator {token.text}")
    elif token.kind is Lex.NUMBER:
        if not _PLAIN_NUMBER.fullmatch(token.text):
            raise Unvetted(f"the number {token.text}")
    elif token.kind is Lex.BITS:
        if not _UNTYPED.fullmatch(token.text):
            raise Unvetted(f"{token.text}")
    elif token.text in ("[", "]", ":"):
        raise Unvetted(f"{token.text}")


def _check_word(token: Token, after: str, in_window: bool) -> None:
    word = token.text.lower()
    if not token.text.isascii() or token.text[0].isdigit():
        raise Unvetted(f"the name {token.text} without quotes")
    if in_window and word in FRAMES:
        return
    if after == "(" and word in _CALLED:
        return
    if word not in _SHARED and (word in _RESERVED or word in _SPECIAL_THERE):
        raise Unvetted(f"{word.upper()} in MariaDB")
