"""MariaDB's programs, wherever a distribution has put them; Debian's are of the package mariadb-server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from outgrow.errors import ConfigurationError
from outgrow.local.binaries import Binaries

#: Where Debian, and MariaDB's own archives, put the programs.
_FOLDERS = ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/mariadb/bin", "/opt/mariadb/bin")
VERSION_MIN = 1006


def installed_mariadb() -> tuple[Path, Path] | None:
    """`mariadbd` and `mariadb-install-db`, where both are found."""
    found = [program(name) for name in ("mariadbd", "mariadb-install-db")]
    return (found[0], found[1]) if found[0] and found[1] else None


def program(name: str) -> Path | None:
    place = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_FOLDERS)))
    return Path(place) if place else None


def find_mariadb(choice: str | None = None) -> Binaries:
    """MariaDB's programs, wherever the distribution has put them; `choice` is a version such as `10.11`, or nothing."""
    programs = installed_mariadb()
    if programs is None or program("mariadb") is None:
        raise ConfigurationError(
            "OG-LOCAL-032", "there is no MariaDB on this machine", cure="apt-get install mariadb-server"
        )
    said = subprocess.run([programs[0], "--version"], capture_output=True, text=True, check=False, timeout=30)
    match = re.search(r"Ver (\d+)\.(\d+)(\.\d+)?", said.stdout)
    major = int(match[1]) * 100 + int(match[2]) if match else 0
    version = f"{match[1]}.{match[2]}{match[3] or ''}" if match else ""
    if major < VERSION_MIN or (
        choice and choice not in (str(programs[0].parent), str(major), version.rpartition(".")[0])
    ):
        raise ConfigurationError(
            "OG-LOCAL-033",
            f"MariaDB {version or 'of an unknown version'} is on this machine, not {choice or '10.6 or newer'}",
            cure="install the wanted version, or leave it out",
        )
    return Binaries(programs[0].parent, major, version)
