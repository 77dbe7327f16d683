"""PostgreSQL's keywords that outgrow's reading of SQL depends on (PostgreSQL 18, appendix C)."""


def words(text: str) -> list[str]:
    """The words of a table that is written as text."""
    return text.split()


#: Reserved wherever a name could stand without quotes (after AS and after a dot they are names all the same).
RESERVED = frozenset(
    words(
        "all analyse analyze and any array as asc asymmetric both case cast check collate column constraint "
        "create cross default desc distinct do else end except false fetch for foreign freeze from full grant "
        "group having ilike in initially inner intersect into is isnull join lateral leading left like limit "
        "natural not notnull null offset on only or order outer overlaps placing primary references returning "
        "right select similar some symmetric table tablesample then to trailing true union unique using variadic "
        "when where window with between"
    )
)
#: Reserved words that stand in none of the statements that are parsed, but for what is rewritten before.
FOREIGN = frozenset(
    words(
        "analyse analyze both check column constraint create foreign freeze grant initially leading placing primary "
        "references trailing"
    )
)
#: Functions that are written without parentheses.
VALUE_WORDS = frozenset(
    words(
        "current_catalog current_date current_role current_schema current_time current_timestamp current_user "
        "localtime localtimestamp session_user system_user user"
    )
)
