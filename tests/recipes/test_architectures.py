"""Each recipe's networks layer by layer against SYSTEMS.md and the papers; parameters are worked out here."""

from __future__ import annotations

import pytest

from zerosum.networks import build
from zerosum.networks.describe import Layer, describe_player, totals
from zerosum.recipes import recipe
from zerosum.types import Domain

GREY = Domain(shape=(1, 28, 28))
UNIT = Domain(shape=(1, 28, 28), value_range=(0.0, 1.0))
LABELLED = Domain(shape=(1, 28, 28), classes=10, value_range=(0.0, 1.0))
DIGITS = Domain(shape=(1, 28, 28), classes=10)
COLOUR = Domain(shape=(3, 64, 64))

Row = tuple[str, tuple[int, ...], int]  # what, output shape, parameters
Rows = list[Row]

# A row without its own numbers keeps the shape of the one before and has no parameters.
Expected = list[str | Row]


def dcgan_smooth_g() -> Expected:
    return [
        ("linear", (25088,), 100 * 7 * 7 * 512 + 7 * 7 * 512),
        "relu",
        ("reshape", (512, 7, 7), 0),
        ("batch norm", (512, 7, 7), 2 * 512),
        "leaky relu 0.2",
        ("transposed conv 3x3, stride 2, same, no bias", (256, 14, 14), 3 * 3 * 512 * 256),
        "leaky relu 0.2",
        ("transposed conv 4x4, stride 2, same, no bias", (128, 28, 28), 4 * 4 * 256 * 128),
        ("batch norm", (128, 28, 28), 2 * 128),
        "leaky relu 0.2",
        ("conv 5x5, stride 1, same, no bias", (1, 28, 28), 5 * 5 * 128),
        "tanh",
    ]


def dcgan_smooth_d() -> Expected:
    return [
        ("conv 5x5, stride 2, same", (512, 14, 14), 5 * 5 * 512 + 512),
        "leaky relu 0.2",
        "dropout 0.3",
        ("conv 3x3, stride 2, same", (256, 7, 7), 3 * 3 * 512 * 256 + 256),
        "leaky relu 0.2",
        ("conv 3x3, stride 1, same", (128, 7, 7), 3 * 3 * 256 * 128 + 128),
        "leaky relu 0.2",
        ("reshape", (6272,), 0),
        ("linear", (1,), 6272 + 1),
    ]


def dcgan_lite_g() -> Expected:
    return [
        ("linear", (6272,), 100 * 7 * 7 * 128 + 7 * 7 * 128),
        "leaky relu 0.2",
        ("reshape", (128, 7, 7), 0),
        ("transposed conv 4x4, stride 2, same", (128, 14, 14), 4 * 4 * 128 * 128 + 128),
        "leaky relu 0.2",
        ("transposed conv 4x4, stride 2, same", (128, 28, 28), 4 * 4 * 128 * 128 + 128),
        "leaky relu 0.2",
        ("conv 7x7, stride 1, same", (1, 28, 28), 7 * 7 * 128 + 1),
        "sigmoid",
    ]


def dcgan_lite_d() -> Expected:
    return [
        ("conv 3x3, stride 2, same", (64, 14, 14), 3 * 3 * 64 + 64),
        "leaky relu 0.2",
        "dropout 0.4",
        ("conv 3x3, stride 2, same", (64, 7, 7), 3 * 3 * 64 * 64 + 64),
        "leaky relu 0.2",
        "dropout 0.4",
        ("reshape", (3136,), 0),
        ("linear", (1,), 7 * 7 * 64 + 1),
    ]


def dcgan_k2_g() -> Expected:
    return [
        ("linear", (3136,), 100 * 7 * 7 * 64 + 7 * 7 * 64),
        "leaky relu 0.3",
        ("reshape", (64, 7, 7), 0),
        ("transposed conv 3x3, stride 2, same", (64, 14, 14), 3 * 3 * 64 * 64 + 64),
        "leaky relu 0.3",
        ("transposed conv 3x3, stride 2, same", (32, 28, 28), 3 * 3 * 64 * 32 + 32),
        "leaky relu 0.3",
        ("conv 28x28, stride 1, same", (1, 28, 28), 28 * 28 * 32 + 1),
        "sigmoid",
    ]


def dcgan_k2_d() -> Expected:
    return [
        ("conv 3x3, stride 2, same", (32, 14, 14), 3 * 3 * 32 + 32),
        "leaky relu 0.3",
        "dropout 0.4",
        ("conv 3x3, stride 2, same", (64, 7, 7), 3 * 3 * 32 * 64 + 64),
        "leaky relu 0.3",
        ("reshape", (3136,), 0),
        ("linear", (1,), 7 * 7 * 64 + 1),
    ]


def mlp_g() -> Expected:
    rows: Expected = [("linear", (128,), 100 * 128 + 128), "leaky relu 0.2"]
    for inputs, outputs in ((128, 256), (256, 512), (512, 1024)):
        rows.append(("linear", (outputs,), inputs * outputs + outputs))
        rows += [("batch norm", (outputs,), 2 * outputs), "leaky relu 0.2"]
    return [*rows, ("linear", (784,), 1024 * 784 + 784), "tanh", ("reshape", (1, 28, 28), 0)]


def mlp_d() -> Expected:
    return [
        ("reshape", (784,), 0),
        ("linear", (512,), 784 * 512 + 512),
        "leaky relu 0.2",
        ("linear", (256,), 512 * 256 + 256),
        "leaky relu 0.2",
        ("linear", (1,), 256 + 1),
    ]


def dcgan_faces_g() -> Expected:
    rows: Expected = [("reshape", (100, 1, 1), 0)]
    sizes = ((100, 512, 4, "1, padding 0"), *((c, c // 2, 4096 // c, "2, padding 1") for c in (512, 256, 128)))
    for inputs, outputs, side, stride in sizes:
        shape = (outputs, side, side)
        rows.append((f"transposed conv 4x4, stride {stride}, no bias", shape, 4 * 4 * inputs * outputs))
        rows += [("batch norm", shape, 2 * outputs), "relu"]
    return [*rows, ("transposed conv 4x4, stride 2, padding 1, no bias", (3, 64, 64), 4 * 4 * 64 * 3), "tanh"]


def dcgan_faces_d() -> Expected:
    rows: Expected = [("conv 4x4, stride 2, padding 1, no bias", (64, 32, 32), 4 * 4 * 3 * 64), "leaky relu 0.2"]
    for inputs, side in ((64, 16), (128, 8), (256, 4)):
        shape = (2 * inputs, side, side)
        rows.append(("conv 4x4, stride 2, padding 1, no bias", shape, 4 * 4 * inputs * 2 * inputs))
        rows += [("batch norm", shape, 2 * 2 * inputs), "leaky relu 0.2"]
    return [*rows, ("conv 4x4, stride 1, padding 0, no bias", (1, 1, 1), 4 * 4 * 512), ("reshape", (1,), 0)]


def small_dcgan_g() -> Expected:
    """28 pixels are 7 doubled twice."""
    return [
        ("reshape", (100, 1, 1), 0),
        ("transposed conv 7x7, stride 1, padding 0, no bias", (128, 7, 7), 7 * 7 * 100 * 128),
        ("batch norm", (128, 7, 7), 2 * 128),
        "relu",
        ("transposed conv 4x4, stride 2, padding 1, no bias", (64, 14, 14), 4 * 4 * 128 * 64),
        ("batch norm", (64, 14, 14), 2 * 64),
        "relu",
        ("transposed conv 4x4, stride 2, padding 1, no bias", (1, 28, 28), 4 * 4 * 64),
        "tanh",
    ]


def small_dcgan_d() -> Expected:
    return [
        ("conv 4x4, stride 2, padding 1, no bias", (64, 14, 14), 4 * 4 * 64),
        "leaky relu 0.2",
        ("conv 4x4, stride 2, padding 1, no bias", (128, 7, 7), 4 * 4 * 64 * 128),
        ("batch norm", (128, 7, 7), 2 * 128),
        "leaky relu 0.2",
        ("conv 7x7, stride 1, padding 0, no bias", (1, 1, 1), 7 * 7 * 128),
        ("reshape", (1,), 0),
    ]


def critic_without_norm() -> Expected:
    return [
        ("conv 4x4, stride 2, padding 1, no bias", (64, 14, 14), 4 * 4 * 64),
        "leaky relu 0.2",
        ("conv 4x4, stride 2, padding 1", (128, 7, 7), 4 * 4 * 64 * 128 + 128),
        "leaky relu 0.2",
        ("conv 7x7, stride 1, padding 0, no bias", (1, 1, 1), 7 * 7 * 128),
        ("reshape", (1,), 0),
    ]


def gan_g() -> Expected:
    return [
        ("linear", (1200,), 100 * 1200 + 1200),
        "relu",
        ("linear", (1200,), 1200 * 1200 + 1200),
        "relu",
        ("linear", (784,), 1200 * 784 + 784),
        "sigmoid",
        ("reshape", (1, 28, 28), 0),
    ]


def gan_d() -> Expected:
    return [
        ("reshape", (784,), 0),
        "dropout 0.2",
        ("maxout 240 units of 5 pieces", (240,), 784 * 240 * 5 + 240 * 5),
        "dropout 0.5",
        ("maxout 240 units of 5 pieces", (240,), 240 * 240 * 5 + 240 * 5),
        "dropout 0.5",
        ("linear", (1,), 240 + 1),
    ]


def cgan_g() -> Expected:
    return [
        ("linear", (200,), 100 * 200 + 200),
        "relu",
        "dropout 0.5",
        ("linear", (1000,), 10 * 1000 + 1000),
        "relu",
        "dropout 0.5",
        ("linear", (1200,), 1200 * 1200 + 1200),
        "relu",
        "dropout 0.5",
        ("linear", (784,), 1200 * 784 + 784),
        "sigmoid",
        ("reshape", (1, 28, 28), 0),
    ]


def cgan_d() -> Expected:
    return [
        ("reshape", (784,), 0),
        "dropout 0.2",
        ("maxout 240 units of 5 pieces", (240,), 784 * 240 * 5 + 240 * 5),
        "dropout 0.5",
        ("maxout 50 units of 5 pieces", (50,), 10 * 50 * 5 + 50 * 5),
        "dropout 0.5",
        ("maxout 240 units of 4 pieces", (240,), 290 * 240 * 4 + 240 * 4),
        "dropout 0.5",
        ("linear", (1,), 240 + 1),
    ]


def quick_g(image: tuple[int, int, int], inputs: int) -> Expected:
    colours, side, _ = image
    doublings = 3 if side == 64 else 2
    grid = side >> doublings
    rows: Expected = [
        ("linear", (32 * grid * grid,), (inputs + 1) * 32 * grid * grid),
        ("batch norm", (32, grid, grid), 2 * 32),
        "relu",
    ]
    if inputs > 64:
        rows.insert(0, ("embedding 10, 64", (64,), 10 * 64))
    for doubling in range(1, doublings):
        size = grid << doubling
        rows += [
            ("transposed conv 4x4, stride 2, padding 1, no bias", (32, size, size), 4 * 4 * 32 * 32),
            ("batch norm", (32, size, size), 2 * 32),
            "relu",
        ]
    end = 4 * 4 * 32 * colours + colours
    return [*rows, ("transposed conv 4x4, stride 2, padding 1", image, end), "tanh"]


def quick_d() -> Expected:
    """On 28 pixels."""
    return [
        ("conv 4x4, stride 2, padding 1", (16, 14, 14), 4 * 4 * 16 + 16),
        "leaky relu 0.2",
        ("conv 4x4, stride 2, padding 1", (32, 7, 7), 4 * 4 * 16 * 32 + 32),
        "leaky relu 0.2",
        ("conv 3x3, stride 2, padding 1", (64, 4, 4), 3 * 3 * 32 * 64 + 64),
        "leaky relu 0.2",
        ("reshape", (1024,), 0),
        ("linear", (1,), 1024 + 1),
    ]


CASES = [
    ("quick", "G", GREY, quick_g((1, 28, 28), 64)),
    ("quick", "G", COLOUR, quick_g((3, 64, 64), 64)),
    ("quick", "G", DIGITS, quick_g((1, 28, 28), 128)),
    ("quick", "D", GREY, quick_d()),
    ("dcgan-smooth", "G", GREY, dcgan_smooth_g()),
    ("dcgan-smooth", "D", GREY, dcgan_smooth_d()),
    ("dcgan-lite", "G", UNIT, dcgan_lite_g()),
    ("dcgan-lite", "D", UNIT, dcgan_lite_d()),
    ("dcgan-k2", "G", UNIT, dcgan_k2_g()),
    ("dcgan-k2", "D", UNIT, dcgan_k2_d()),
    ("mlp", "G", GREY, mlp_g()),
    ("mlp", "D", GREY, mlp_d()),
    ("dcgan-faces", "G", COLOUR, dcgan_faces_g()),
    ("dcgan-faces", "D", COLOUR, dcgan_faces_d()),
    *((name, "G", GREY, small_dcgan_g()) for name in ("dcgan-digits", "lsgan", "wgan", "wgan-gp")),
    *((name, "D", GREY, small_dcgan_d()) for name in ("dcgan-digits", "lsgan", "wgan")),
    ("wgan-gp", "D", GREY, critic_without_norm()),
    ("gan", "G", UNIT, gan_g()),
    ("gan", "D", UNIT, gan_d()),
    ("cgan", "G", LABELLED, cgan_g()),
    ("cgan", "D", LABELLED, cgan_d()),
]


def complete(expected: Expected) -> Rows:
    rows: Rows = []
    for row in expected:
        rows.append((row, rows[-1][1] if rows else (784,), 0) if isinstance(row, str) else row)
    return rows


def spoken(layer: Layer) -> Row:
    silent = layer.kind in ("batch norm", "linear", "reshape", "relu")
    return (layer.kind if silent else f"{layer.kind} {layer.settings}".strip(), layer.output, layer.parameters)


@pytest.mark.parametrize(
    ("name", "player", "domain", "expected"), CASES, ids=[f"{c[0]}-{c[1]}-{c[2].size}" for c in CASES]
)
def test_layers_kernels_strides_shapes_and_parameters(
    name: str, player: str, domain: Domain, expected: Expected
) -> None:
    side = recipe(name).players[player]
    layers = [layer for layer in describe_player(side, domain) if layer.kind != "input"]
    assert [spoken(layer) for layer in layers] == complete(expected)
    assert totals(layers)[0] == sum(value.numel() for value in build(side, domain).parameters())


def test_every_recipe_is_in_the_table() -> None:
    assert {case[0] for case in CASES} == {
        *("dcgan-smooth", "dcgan-lite", "dcgan-k2", "mlp", "dcgan-faces", "dcgan-digits"),
        *("gan", "lsgan", "wgan", "wgan-gp", "cgan", "quick"),
    }


@pytest.mark.parametrize("name", ["dcgan-smooth", "mlp", "dcgan-faces", "dcgan-digits"])
def test_batch_norm_has_the_numbers_of_the_framework_that_the_source_was_written_for(name: str) -> None:
    size = 64 if name == "dcgan-faces" else 28
    channels = 3 if name == "dcgan-faces" else 1
    layers = describe_player(recipe(name).players["G"], Domain(shape=(channels, size, size)))
    norms = {layer.settings for layer in layers if layer.kind == "batch norm"}
    assert norms == {"eps 0.001, momentum 0.01" if name == "dcgan-smooth" else "eps 1e-05, momentum 0.1"}


def test_points_get_networks_of_two_hidden_layers() -> None:
    points = Domain(shape=(2,))
    for player, inputs, outputs in (("G", 2, 2), ("D", 2, 1)):
        layers = [layer for layer in describe_player(recipe("gan").players[player], points) if layer.kind != "input"]
        assert [spoken(layer) for layer in layers] == [
            ("linear", (128,), inputs * 128 + 128),
            ("relu", (128,), 0),
            ("linear", (128,), 128 * 128 + 128),
            ("relu", (128,), 0),
            ("linear", (outputs,), 128 * outputs + outputs),
        ]


def test_dcgan_lite_follows_its_authors_suggestions() -> None:
    changed = recipe("dcgan-lite").override({"value_range": "-1,1", "z_dim": 50, "batch_norm": "true", "G.width": 64})
    assert changed.value_range == (-1.0, 1.0)
    layers = describe_player(changed.players["G"], Domain(shape=(1, 28, 28), value_range=changed.value_range))
    assert [layer.kind for layer in layers].count("batch norm") == 2
    assert layers[0].output == (50,)
    assert layers[1].output == (64 * 49,)
    assert layers[-1].kind == "tanh"
    assert changed.override({"target_real": 0.9}).to_dict()["game"]["target_real"] == 0.9


def test_layer_norm_stands_where_wgan_gp_is_told_so() -> None:
    side = recipe("wgan-gp").override({"norm": "layer"}).players["D"]
    assert [layer.kind for layer in describe_player(side, GREY)][4] == "layer norm"
