"""The shell on a pseudo-terminal: type a line, wait for what it must show."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def talk(arguments: Sequence[str], history: Path, lines: Sequence[tuple[bytes, bytes]]) -> None:
    """`outgrow sql …`: each line's answer must appear before the next is typed; then the way out, exit code 0."""
    master, slave = pty.openpty()
    environment = {**os.environ, "OUTGROW_HISTORY": str(history), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    program = [str(Path(sys.executable).parent / "outgrow"), "sql", *arguments]
    with subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd="/") as shell:
        os.close(slave)
        said = _until(master, b"\\? for help")
        for line, answer in lines:
            os.write(master, line)
            said += _until(master, answer)
        os.write(master, b"\\q\r")
        _until(master, None)
        assert shell.wait(20) == 0, said.decode(errors="replace")
    os.close(master)


def _until(master: int, wanted: bytes | None, patience_seconds: float = 30.0) -> bytes:
    """Read the terminal until it shows `wanted`, or until it closes."""
    said = b""
    until = time.monotonic() + patience_seconds
    while wanted is None or wanted not in said:
        assert time.monotonic() < until, said.decode(errors="replace")
        try:
            some = os.read(master, 65536)
        except OSError:  # Linux says EIO when the other side has gone
            return said
        if not some:
            return said
        said += some
    return said
