"""The live block of a run: title, bar and times in one line, the numbers of both players in the next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from zerosum.cli.progress import State

BAR = 24


def lines(state: State, width: int) -> Group:
    """The block for a terminal `width` columns wide; what does not fit is left out, the least important first."""
    head = Text(state.title, style="", no_wrap=True, overflow="ellipsis")
    head.stylize("bold")
    if state.share is not None:
        head.append("  ")
        head.append_text(_bar(state.share, min(BAR, max(8, width // 6))))
        head.append(f" {state.share:.0%}")
    stage = [state.stage] if state.stage else []
    rows = [_filled(head, [*state.times()[:1], state.done, *stage, *state.times()[1:]], width)]
    if numbers := state.numbers():
        rows.append(_filled(Text(no_wrap=True, overflow="ellipsis"), numbers, width))
    if state.verdict:
        rows.append(Text(state.verdict, no_wrap=True, overflow="ellipsis"))
    return Group(*rows)


def _filled(row: Text, parts: Sequence[str], width: int) -> Text:
    """The row with as many of the parts as it has room for."""
    for part in parts:
        gap = "  " if row.cell_len else ""
        if row.cell_len + len(gap) + len(part) >= width:
            break
        row.append(gap)
        row.append(part, style=_style(part))
    return row


def _style(part: str) -> str:
    """D's loss in blue and G's in orange, as in the report's curves."""
    if part.startswith(("G ", "G/")):
        return "dark_orange"
    if part.startswith(("D ", "D/")) and not part.startswith("D right"):
        return "blue"
    return ""


def _bar(share: float, width: int) -> Text:
    done = int(share * width)
    bar = Text("━" * done, style="blue")
    bar.append("━" * (width - done), style="bright_black")
    return bar
