"""The command line: `zerosum` and `python -m zerosum`, where every error is one line and every ending a code."""

import os

# Before torch is there: how often its threads look for work before they sleep. By default they look for so long that
# beside another busy program a training takes twice as long; alone it makes no difference.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

from zerosum.cli.app import main

__all__ = ["main"]
