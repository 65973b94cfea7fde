"""`cgan`: both players are told the label (Mirza and Osindero 2014, arXiv 1411.1784)."""

from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

RECIPE = Recipe(
    name="cgan",
    title="Conditional GAN of fully connected layers",
    source="Mirza and Osindero 2014, arXiv 1411.1784, section 4.1",
    notes=(
        "The networks are the paper's for MNIST: ReLU layers in G, maxout in D, dropout of 0.5 in both, here after "
        "every hidden layer; chosen: 0.2 on D's image, as in the code of 1406.2661.",
        "SGD with the paper's first rate, 0.1, and first momentum, 0.5. In the paper the rate then falls by 1.00004 at "
        "each update and momentum grows to 0.7; here both stay.",
        "D's loss is the sum over real and fake images, as the paper writes it; the code of 1406.2661 takes their "
        "mean, `--set d_scale=0.5`.",
        "Chosen: z from a normal distribution instead of a uniform one; 100 epochs.",
        "`sample --class K` draws one class.",
    ),
    data="mnist",
    sizes=(28, 32, 64),
    value_range=(0.0, 1.0),
    classes="required",
    players={
        "G": Player(
            network="cgan-generator",
            args={"z_dim": 100, "z_units": 200, "y_units": 1000, "units": 1200, "dropout": 0.5},
            optimizer="sgd",
            lr=0.1,
            momentum=0.5,
        ),
        "D": Player(
            network="cgan-discriminator",
            args={
                "x_units": 240,
                "x_pieces": 5,
                "y_units": 50,
                "y_pieces": 5,
                "units": 240,
                "pieces": 4,
                "input_dropout": 0.2,
                "dropout": 0.5,
            },
            optimizer="sgd",
            lr=0.1,
            momentum=0.5,
        ),
    },
    game=AdversarialRules(view="two-batches", fakes="fresh"),
    batch=100,
    epochs=100,
    grid=100,
)
