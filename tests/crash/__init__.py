"""Transfers under faults: processes and servers are killed and paused, links are cut; nothing may be half done.

`python -m tests.crash --faults N --seed S --json`
"""
