"""`python -m outgrow.local.watchman DIRECTORY`: wait until standard input ends, then remove the fleet there.

The other end of that pipe is held by the process that made the fleet, and by nobody else: when it dies, however it
dies, the kernel closes it.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    while os.read(0, 4096):
        pass
    directory = sys.argv[1]
    if os.path.isdir(directory):
        # Imported only now: for most of its life the watchman is nothing but a sleeping interpreter.
        from pathlib import Path

        from outgrow.local.temporary import remove

        remove(Path(directory))


if __name__ == "__main__":
    main()
