"""How many parameters the networks have, beside the numbers that papers and public implementations state.

    python benchmarks/parameters.py

Nothing is trained or measured: networks are built without memory, at the sizes of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sections import write_section
from zerosum.networks.describe import describe_player, totals
from zerosum.recipes import recipe
from zerosum.types import Domain


@dataclass(frozen=True)
class Published:
    """A number of parameters that someone states of a recipe's player, at a size, by what they say."""

    recipe: str
    player: str
    size: int
    stated: str
    source: str
    classes: int | None = None
    times: int = 1  # how many such networks the player is
    given: int | None = None  # the side of what is translated, where it is another one
    changes: dict[str, Any] = field(default_factory=dict)

    def count(self) -> int:
        """Of one such network."""
        told = recipe(self.recipe).override(self.changes)
        inputs = self.given or self.size
        source = None if told.inputs == "noise" else (3, inputs, inputs)
        domain = Domain(shape=(3, self.size, self.size), classes=self.classes, source=source)
        return totals(describe_player(told.players[self.player], domain))[0] // self.times


CYCLES = "CycleGAN's and pix2pix's PyTorch code, as it prints them"
NUMBERS = (
    Published("stylegan", "G", 1024, "26.2 million", "1812.04948, section 2"),
    Published("stylegan2", "G", 1024, "30,370,060", "StyleGAN2's code, as it prints them"),
    Published("stylegan2", "D", 1024, "29,012,513", "StyleGAN2's code, as it prints them"),
    Published("progan", "G", 1024, "23.1 million", "1710.10196, table 2"),
    Published("progan", "D", 1024, "23.1 million", "1710.10196, table 2"),
    Published("biggan", "G", 128, "70,433,988", "BigGAN's PyTorch code, ImageNet", classes=1000),
    Published("biggan", "D", 128, "87,982,370", "BigGAN's PyTorch code, ImageNet", classes=1000),
    Published("pix2pix", "G", 256, "54.414 million", CYCLES),
    Published("pix2pix", "D", 256, "2.769 million", CYCLES, changes={"D.norm": "batch"}),
    Published("cyclegan", "G", 256, "11.378 million", CYCLES, classes=2, times=2, changes={"blocks": 9}),
    Published("cyclegan", "D", 256, "2.765 million", CYCLES, classes=2, times=2),
    Published("srgan", "G", 96, "1,547,350", "the layers of 1609.04802, figure 4, counted by hand", given=24),
    Published("stargan", "G", 128, "8,430,528", "StarGAN's code, five attributes", classes=5),
    Published("stargan", "D", 128, "44,762,048", "StarGAN's code, five attributes", classes=5),
)


def main() -> None:
    lines = [HEAD, "", "| recipe | player | pixels | here | stated | by |", "|---|---|---|---|---|---|"]
    counts = {}
    for number in NUMBERS:
        count = counts[f"{number.recipe}.{number.player}"] = number.count()
        changed = "".join(f" `--set {name}={value}`" for name, value in number.changes.items())
        lines.append(
            f"| `{number.recipe}`{changed} | {number.player} | {number.size} | {count:,} | {number.stated} | "
            f"{number.source} |"
        )
    write_section("parameters", counts, lines)


HEAD = """## Parameters

Of the networks as their papers have them, counted layer by layer, beside what papers and public implementations state;
by `python benchmarks/parameters.py`. A player of `cyclegan` is two such networks."""


if __name__ == "__main__":
    main()
