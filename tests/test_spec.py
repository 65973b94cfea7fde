"""Recipes as data: JSON and back, dotted changes, and one line for each mistake."""

from __future__ import annotations

import json

import pytest

from zerosum import recipes
from zerosum.errors import UserError
from zerosum.spec import Recipe, differences, lowered, ruined


@pytest.fixture
def lite() -> Recipe:
    return recipes.recipe("dcgan-lite")


def test_every_recipe_is_the_same_after_json() -> None:
    for name in recipes.names():
        recipe = recipes.recipe(name)
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_an_override_reaches_the_place_that_its_name_says(lite: Recipe) -> None:
    changed = lite.override({"G.lr": "1e-4", "n_critic": "5", "z_dim": "64", "beta1": "0.3", "D.betas": "0,0.9"})
    assert changed.players["G"].lr == 1e-4
    assert changed.players["D"].lr == lite.players["D"].lr
    assert changed.game.n_critic == 5  # type: ignore[attr-defined]
    assert changed.players["G"].args["z_dim"] == 64
    assert changed.players["G"].betas == (0.3, lite.players["G"].betas[1])
    assert changed.players["D"].betas == (0.0, 0.9)


def test_a_plain_name_reaches_every_player_that_has_it(lite: Recipe) -> None:
    assert [player.lr for player in lite.override({"lr": 0.5}).players.values()] == [0.5, 0.5]


def test_zero_is_a_legal_learning_rate(lite: Recipe) -> None:
    assert lite.override({"lr": "0"}).players["G"].lr == 0.0


def test_a_new_length_replaces_the_old_one(lite: Recipe) -> None:
    changed = lite.override({"minutes": 2})
    assert (changed.epochs, changed.steps, changed.minutes) == (None, None, 2.0)


def test_differences_are_the_dotted_names_that_changed(lite: Recipe) -> None:
    assert differences(lite, lite.override({"G.lr": 1e-4, "z_dim": 64})) == {"G.lr": 1e-4, "G.z_dim": 64}
    assert differences(lite, lite) == {}


def test_every_key_that_a_recipe_names_can_be_set_to_its_own_value() -> None:
    for name in recipes.names():
        recipe = recipes.recipe(name)
        fields = recipe.to_dict()
        for key in recipe.keys():  # noqa: SIM118  (not a mapping)
            if key in ("epochs", "steps", "minutes", "stages"):
                continue  # setting one length clears the others
            head, _, tail = key.rpartition(".")
            side = fields["players"].get(head)
            home = fields if not side and key in fields else side or fields["game"]
            value = home["args"][tail] if side and tail in home["args"] else home[tail]
            assert recipe.override({key: value}) == recipe, key


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lr": "nan"}, "G.lr is 'nan'"),
        ({"lr": "-1"}, "greater than or equal to 0"),
        ({"batch": "0"}, "batch is 0"),
        ({"n_critik": "3"}, "did you mean n_critic?"),
        ({"G.lrr": "1"}, "did you mean G.lr?"),
        ({"z_dim": "many"}, "z_dim is 'many'; expected int, such as 100"),
        ({"z_dim": 0}, "expected at least 1"),
        ({"loss": "hing"}, "'hinge'"),
        ({"size": "17"}, "size 17 is not one that dcgan-lite can make: 28"),
        ({"augment": "difaug"}, "no augmentation 'difaug'; did you mean diffaug?"),
        ({"target_real": "2"}, "less than or equal to 1"),
        ({"epochs": "-3"}, "greater than 0"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(lite: Recipe, changes: dict[str, object], says: str) -> None:
    with pytest.raises(UserError) as caught:
        lite.override(changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean dcgan-lite"):
        recipes.recipe("dcgan-lit")


def test_what_a_user_sets_no_stage_sets_back() -> None:
    from zerosum import recipes

    faces = recipes.recipe("dcgan-faces")
    asked = faces.as_asked({"lr": "1e-3"})
    assert all("lr" not in stage.changes for stage in asked.stages)
    assert [stage.changes for stage in asked.stages] == [{"beta1": b} for b in (0.5, 0.3, 0.5, 0.5)]
    one = faces.as_asked({"D.lr": 3e-4})
    assert one.players["D"].lr == 3e-4
    assert [stage.changes.get("G.lr") for stage in one.stages] == [2e-4, 1e-4, 1e-4, 1e-5]
    assert not any({"lr", "D.lr"} & {*stage.changes} for stage in one.stages)
    beta = faces.as_asked({"beta1": 0.9})
    assert all("beta1" not in stage.changes for stage in beta.stages)
    assert faces.as_asked({"batch": 32}).stages == faces.stages


def test_one_number_is_a_list_of_one_and_a_class_may_be_a_number() -> None:
    from zerosum import recipes

    recipe = recipes.recipe("quick").override({"grid_at": "3", "only_class": "3"})
    assert recipe.grid_at == (3,)
    assert recipe.only_class == "3"
    assert recipes.recipe("quick").override({"best_of": "coverage"}).best_of == ("coverage",)


def test_no_recipe_has_a_rate_that_its_optimizer_never_learns_at() -> None:
    for name in recipes.names():
        assert not ruined(recipes.recipe(name)), name
    assert ruined(recipes.recipe("dcgan-lite").override({"lr": 0.02}))
    assert not ruined(recipes.recipe("cgan").override({"lr": 0.5}))  # SGD
    assert lowered(1e30, 0.1, "adam") == 1e-3
    assert lowered(0.1, 0.1, "sgd") == pytest.approx(0.01)
