"""What a process imports before it needs it, it pays for at each start, and so does every command of the shell."""

from __future__ import annotations

import subprocess
import sys


def test_what_moves_rows_in_bulk_is_imported_when_rows_are_moved() -> None:
    imports = "import outgrow.doors.cli.app, outgrow.doors.dbapi, outgrow.runtime.doctor"
    told = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules} & {'numpy'}), "
    told += "*sorted(name for name in sys.modules if name.startswith('outgrow.moving')))"
    done = subprocess.run([sys.executable, "-c", f"{imports}\n{told}"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
