"""How one types a word where a command is told."""

from __future__ import annotations

import os
import shlex
import subprocess


def typed(word: object) -> str:
    """The word as one types it, in quotes where the shell of this system wants them: on Windows double ones."""
    return subprocess.list2cmdline([str(word)]) if os.name == "nt" else shlex.quote(str(word))
