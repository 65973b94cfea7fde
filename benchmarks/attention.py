"""How much memory transgan's attention takes at each size, and at 64 pixels without its windows.

    python benchmarks/attention.py

A row is a process of its own: one forward and backward pass of G, of the recipe's depth and heads at a width of 256,
over a batch of four. It tells what torch keeps for the backward pass, the largest tensor of that, and by how much the
process grew. Nothing is timed, so other work beside it does no harm.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

import torch

from results import machine
from sections import write_section
from zerosum.networks import build, transgan
from zerosum.recipes import recipe
from zerosum.types import Domain

BATCH, WIDTH = 4, 256
ROWS = ((28, True), (32, True), (64, True), (64, False))  # pixels, and whether the largest maps have windows
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", type=int, help=argparse.SUPPRESS)  # a process of this script for one row
    told = parser.parse_args()
    if told.row is not None:
        print(json.dumps(measure(*ROWS[told.row])))
        return
    rows = []
    for number in range(len(ROWS)):
        command = [sys.executable, __file__, "--row", str(number)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    write_section("attention", {"machine": machine(), "torch": torch.__version__, "rows": rows}, section(rows))


def measure(size: int, windows: bool) -> dict[str, Any]:
    """MiB that a pass of G keeps, those of its largest tensor, and those by which the process grew."""
    if not windows:
        transgan.WHOLE = size
    G = build(recipe("transgan").override({"width": WIDTH}).players["G"], Domain(shape=(3, size, size)))
    kept: dict[int, int] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return value

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        loss = G(torch.randn(BATCH, 128)).square().mean()
    loss.backward()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "size": size,
        "windows": windows,
        "kept": sum(kept.values()) / MIB,
        "largest": max(kept.values()) / MIB,
        "grown": grown / 1024,
    }


def section(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        HEAD,
        "",
        "| pixels | windows | kept, MiB | largest tensor, MiB | process grew by, MiB |",
        "|" + "---|" * 5,
    ]
    for row in rows:
        windows = "of 16x16 where a map is larger than 32x32" if row["windows"] else "none: every token sees all"
        figures = " | ".join(f"{row[name]:,.0f}" for name in ("kept", "largest", "grown"))
        lines.append(f"| {row['size']} | {windows} | {figures} |")
    return lines


HEAD = f"""## Memory of attention

`transgan`'s G at a width of {WIDTH}, its other settings the recipe's, a batch of {BATCH}: what one pass keeps for its
backward pass; by `python benchmarks/attention.py`. A map of 64x64 has sixteen times as many pairs of tokens as one of
32x32; with windows of 16x16 their number grows with the pixels."""


if __name__ == "__main__":
    main()
