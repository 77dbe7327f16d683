"""Several statements in one text, taken apart at the semicolons that end them."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<closed> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
                | (?<![\w$])\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$
                | --[^\n]* | /\*.*?\*/ )
    | (?P<open> ' | " | (?<![\w$])\$(?:[^\W\d]\w*|)\$ | /\* )
    | (?P<end> ; )
    | (?P<other> \w+ | . )
    """,
    re.S | re.X,
)


def split(text: str) -> tuple[list[str], bool]:
    """The statements without their semicolons, and whether the text ends inside a quote, a comment or a statement.

    The last one needs no semicolon.  Comments alone are no statement.
    """
    statements: list[str] = []
    start = 0
    said = False  # something but comments and space since `start`
    for match in _TOKEN.finditer(text):
        if match["open"] is not None:
            said = True
            return [*statements, text[start:].strip()], True
        if match["end"] is not None:
            if said:
                statements.append(text[start : match.start()].strip())
            start, said = match.end(), False
        elif not match[0].isspace() and not match[0].startswith(("--", "/*")):
            said = True
    if said:
        statements.append(text[start:].strip())
    return statements, said
