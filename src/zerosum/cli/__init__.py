"""The command line: `zerosum` and `python -m zerosum`, where every error is one line and every ending a code."""

from zerosum.cli.app import main

__all__ = ["main"]
