"""`mlp`: the fully connected GAN of a PyTorch course exercise in Vietnamese, on MNIST or Fashion-MNIST."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="mlp",
    title="Fully connected GAN, on digits or clothes",
    source="course exercise on GANs in PyTorch (MNIST, Fashion-MNIST); GAN, arXiv 1406.2661",
    notes=(
        "Inferred, from the code that the exercise followed (PyTorch-GAN's gan.py): z 100, the widths, LeakyReLU 0.2, "
        "tanh, batch 64, Adam 2e-4 with (0.5, 0.999), 200 epochs.",
        "That code gives batch norm the number 0.8, which PyTorch takes for eps; here eps is PyTorch's own, and "
        "`--set bn_eps=0.8` is that code's.",
        "200 epochs are 187,600 steps where the last, short batch of an epoch counts; here it is left out: 187,400.",
        "The checkpoint to use is the one with G's lowest loss: the author saw it near epoch 30.",
        "`--data fashion-mnist` is the exercise's other half.",
    ),
    data="mnist",
    size=28,
    sizes=(28,),
    channels=1,
    players={
        "G": Player(
            network="mlp-generator", args={"z_dim": 100, "width": 128, "bn_eps": 1e-5}, lr=2e-4, betas=(0.5, 0.999)
        ),
        "D": Player(network="mlp-discriminator", args={"width": 512}, lr=2e-4, betas=(0.5, 0.999)),
    },
    game=AdversarialRules(first="G", fakes="same", d_scale=0.5, view="two-batches"),
    batch=64,
    epochs=200,
    grid=25,
    grid_at=(1_000, 10_000, 20_000, 30_000, 40_000, 50_000, 187_000),
    grid_epochs=10,
    best="g-loss",
)
