"""`outgrow` as a process of its own, forked from one that has imported it: most of a short command's time is imports.

That the installed program starts by itself is for `test_cli` and the pages of the documentation to show.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from outgrow.doors.cli import main

PATIENCE_SECONDS = 120.0

#: What commands import when they run.
IMPORTED = ["outgrow.doors.cli.app", "outgrow.runtime.doctor", "outgrow.local"]


def outgrow(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command line; standard input, output and errors are files, as a script's are."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *IMPORTED])
    with tempfile.TemporaryDirectory(prefix="outgrow-program-") as place:
        streams = [Path(place) / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(stdin)
        process = context.Process(target=_become, args=(arguments, streams), daemon=True)
        process.start()
        process.join(PATIENCE_SECONDS)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
            raise TimeoutError(f"outgrow {' '.join(arguments)} takes more than {PATIENCE_SECONDS:g} s")
        process.close()
        return subprocess.CompletedProcess(arguments, code, *(path.read_text() for path in streams[1:]))


def _become(arguments: tuple[str, ...], streams: list[Path]) -> None:
    """In the child: the console script's main, on these files instead of what was inherited."""
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ |= {"TERM": "dumb", "COLUMNS": "80"}
    warnings.simplefilter("error")
    os.chdir("/")
    sys.argv = ["outgrow", *arguments]
    # multiprocessing has taken the standard input away.
    with open(0) as sys.stdin:
        main()
