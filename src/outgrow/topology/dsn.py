"""Connection strings: for PostgreSQL as libpq reads them, a URL or `keyword=value` pairs; for MariaDB and MySQL a URL.

The scheme of a URL says which engine is behind it.  Nothing here connects.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?|mariadb|mysql)://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^/?#]*)"
    r"(?:/(?P<path>[^?#]*))?(?:\?(?P<query>.*))?\Z",
    re.S,
)
_HOST = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]*))(?::(\d*))?")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|\Z)", re.S)


#: Scheme of a URL → the engine behind it, and the port where that listens unless the URL says another.
_ENGINES = {
    "postgresql": ("postgresql", "5432"),
    "postgres": ("postgresql", "5432"),
    "mariadb": ("mariadb", "3306"),
    "mysql": ("mariadb", "3306"),
}


class NotADsn(ValueError):
    """The text is no connection string.  Its message never repeats the text, which may hold a password."""


def parameters(dsn: str) -> dict[str, str]:
    """The keywords of a connection string with their values, as libpq would see them.  Raises NotADsn."""
    if "\0" in dsn:
        raise NotADsn("it holds a zero character")
    return _of_url(dsn) if _is_url(dsn) else _of_pairs(dsn)


def engine_of(dsn: str) -> str:
    """The engine that the connection string leads to; pairs without a scheme are libpq's."""
    return _behind(dsn)[0]


def _behind(dsn: str) -> tuple[str, str]:
    return _ENGINES.get(dsn.partition("://")[0], _ENGINES["postgresql"])


def address(dsn: str) -> tuple[str, str, str]:
    """Where it leads: host (or socket directory), port, database.  Two nodes cannot have the same."""
    found = parameters(dsn)
    user = found.get("user", "")
    return (
        found.get("hostaddr") or found.get("host") or found.get("socket", ""),
        found.get("port") or _behind(dsn)[1],
        found.get("dbname") or user,
    )


def with_password(dsn: str, password: str) -> str:
    """The same connection string with a password in it."""
    if _is_url(dsn):
        separator = "&" if "?" in dsn else "?"
        return f"{dsn}{separator}password={quote(password, safe='')}"
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    return f"{dsn} password='{escaped}'"


def without_password(dsn: str) -> str:
    """The same connection string for people.  A text that is no connection string is not shown at all."""
    try:
        parameters(dsn)
    except NotADsn:
        return "(not a connection string)"
    if not _is_url(dsn):
        return _PAIR.sub(lambda pair: "" if _is_secret(pair[1]) else pair[0], dsn).strip()
    match = _URL.match(dsn)
    assert match is not None
    user = (match["user"] or "").partition(":")[0]
    query = "&".join(part for part in (match["query"] or "").split("&") if part and not _is_secret(_key(part)))
    path = "" if match["path"] is None else f"/{match['path']}"
    at = f"{user}@" if user else ""
    return f"{match['scheme']}://{at}{match['hosts']}{path}" + (f"?{query}" if query else "")


def _is_secret(keyword: str) -> bool:
    """`password`, `sslpassword`, `oauth_client_secret`, …; `passfile` and `requiressl` are none."""
    return "password" in keyword.lower() or "secret" in keyword.lower() or keyword.lower() == "scram_client_key"


def _is_url(dsn: str) -> bool:
    scheme, separator, _ = dsn.partition("://")
    return bool(separator) and scheme in _ENGINES


def _key(part: str) -> str:
    return unquote(part.partition("=")[0])


def _of_url(dsn: str) -> dict[str, str]:
    if any(character.isspace() for character in dsn):
        raise NotADsn("a URL holds no white space; write %20 where it belongs to a name")  # libpq drops some of it
    match = _URL.match(dsn)
    if match is None:
        raise NotADsn("it is not a URL of the form postgresql://user@host:port/database?keyword=value")
    found: dict[str, str] = {}
    user, _, password = (match["user"] or "").partition(":")
    hosts, ports = [], []
    for one in match["hosts"].split(","):
        place = _HOST.fullmatch(one)
        if place is None:
            raise NotADsn("its host or port cannot be read; special characters in a password are percent-encoded")
        hosts.append(unquote(place[1] or place[2] or ""))
        ports.append(place[3] or "")
    for keyword, value in (
        ("user", unquote(user)),
        ("password", unquote(password)),
        ("host", ",".join(hosts)),
        ("port", ",".join(ports)),
        ("dbname", unquote(match["path"] or "")),
    ):
        if value:
            found[keyword] = value
    for part in (match["query"] or "").split("&"):
        keyword, equals, value = part.partition("=")
        if part and (not equals or not keyword):
            raise NotADsn("a parameter after the question mark is not keyword=value")
        if part:
            found[unquote(keyword)] = unquote(value)
    _check_port(found)
    return found


def _of_pairs(dsn: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    text = dsn.rstrip()
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise NotADsn("it is neither a postgresql:// URL nor keyword=value pairs")
        raw = match[2] if match[2] is not None else match[3]
        found[match[1]] = re.sub(r"\\(.)", r"\1", raw, flags=re.S)
        position = match.end()
    if not found:
        raise NotADsn("it is empty")
    _check_port(found)
    return found


def _check_port(found: dict[str, str]) -> None:
    for port in found.get("port", "").split(","):
        if port and not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
            raise NotADsn("its port is not a number from 1 to 65535")
