"""`acgan`: D names the class, G is held to it (Odena, Olah and Shlens 2016, arXiv 1610.09585)."""

from zerosum.games.rules import AuxiliaryRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="acgan",
    title="GAN with an auxiliary classifier",
    source="Odena, Olah and Shlens 2016, arXiv 1610.09585, appendix A",
    notes=(
        "The networks of the paper's CIFAR-10 table, at 128 pixels of its ImageNet table, without activation noise, "
        "one of whose levels was none: Adam 2e-4 with (0.5, 0.999), batch 100, dropout of 0.5 in D, N(0, 0.02).",
        "The linear layer's 384 is read as 384 maps on the first grid, from which three doublings lead to 32 pixels; "
        "its 768 for 128 pixels as 768 maps on 8x8.",
        "Chosen: 100 epochs; the paper's number is not given for every data set.",
        "A width is one player's: a plain CPU draws good digits in ten minutes of one core by `--set G.width=32 --set "
        "D.width=8 --batch 32 --lr 5e-4`.",
    ),
    data="mnist",
    sizes=(28, 32, 64, 128),
    classes="required",
    players={
        "G": Player(network="acgan-generator", args={"z_dim": 100, "width": 96}),
        "D": Player(network="acgan-discriminator", args={"width": 16, "dropout": 0.5}),
    },
    game=AuxiliaryRules(view="two-batches", fakes="fresh"),
    batch=100,
    epochs=100,
    grid=100,
)
