"""One training in memory: game, optimizers, average, chance and counters; it takes steps, and saves all it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.engine.adam import Adam
from zerosum.engine.capture import Captures
from zerosum.engine.checkpoint import load_weights
from zerosum.engine.draws import Streams
from zerosum.engine.ema import Ema
from zerosum.engine.engine import Engine
from zerosum.engine.ledger import Ledger
from zerosum.engine.plan import Plan
from zerosum.games.base import Draws, Game, Terms, play_round
from zerosum.spec import Player, Recipe

State = dict[str, Any]
# Besides lr, which a schedule changes too. RMSprop could have momentum, but not begin with it in mid-run.
OPTIMIZER_FIELDS = {
    "adam": ("betas", "eps", "weight_decay"),
    "rmsprop": ("alpha", "eps", "weight_decay"),
    "sgd": ("momentum", "weight_decay"),
}


class Training:
    """All that a step changes. What `state_dict` holds is all that resuming needs."""

    def __init__(self, game: Game, recipe: Recipe, plan: Plan, streams: Streams, engine: Engine) -> None:
        self.game, self.plan, self.streams, self.engine = game, plan, streams, engine
        self.step = plan.begins
        self.images = 0
        self.seconds = 0.0
        self.best: float | None = None
        self.bests: dict[str, float] = {}  # of each figure that the recipe keeps a checkpoint for
        self.scored = game.making  # what the scores are of
        self.ledger = Ledger()
        self.recipe = recipe
        self.optimizers = {
            name: make_optimizer(network, recipe.players[name], engine.device)
            for name, network in game.networks.items()
        }
        self.ema = Ema(self._raw_generator, recipe.ema, ramp=recipe.ema_ramp) if recipe.ema else None
        self._norms: dict[str, Tensor] = {}
        self._observe = False
        # All optimizers that a graph can hold; one process, since a graph would hold its collectives as well.
        captured = engine.device.type == "cuda" and engine.world == 1
        captured = captured and all(player.optimizer == "adam" for player in recipe.players.values())
        self.captures = Captures(streams, self._changing) if captured else None

    @property
    def _raw_generator(self) -> nn.Module:
        return self.game.networks[self.game.generator]

    @property
    def generator(self) -> nn.Module:
        """What the run is used by: the average where there is one, else G itself, and what the game joins to it."""
        G = self.ema.network if self.ema else self._raw_generator
        return self.game.joined({**self.game.networks, self.game.generator: G})

    def generator_of(self, state: State) -> nn.Module:
        """The same of a checkpoint's state, in networks of its own."""
        game = self.game
        networks = {name: copy.deepcopy(game.networks[name]) for name in (game.generator, *game.beside)}
        for name, network in networks.items():
            network.load_state_dict(weights_in_use(state, name, game.generator))
        return game.joined(networks)

    def enter(self, recipe: Recipe) -> None:
        """Go on under this recipe (the next stage of the same run): rules, rates, batch."""
        if recipe.game != self.recipe.game:
            self.game.retell(recipe.game)
        self.recipe = recipe
        if self.captures is not None:
            self.captures.forget()

    def take_step(self, *, observe: bool) -> Terms:
        """Play one round. Returns what was seen, if `observe`; the loss terms go to the ledger."""
        self.step += 1
        leg = self.plan.leg(self.step)
        if self.step == leg.after + 1 > self.plan.begins + 1:
            self.ledger.turn_over(self.step)
        recipe = leg.at(self.step)
        if recipe is not self.recipe:
            self.enter(recipe)
        self._set_rates(self.plan.lr_factor(self.step, recipe))
        self._observe = observe
        found = self._play()
        self.ledger.record(self.step, found["terms"])
        self.images += recipe.batch
        if self.ema:
            self.ema.update(self.step)
        return {**found["seen"], **{f"grad_norm/{name}": norm for name, norm in found["norms"].items()}}

    def _play(self) -> dict[str, Terms]:
        """One round: as usual, or by a captured graph of the same kind."""
        game, step = self.game, self.step
        if self.captures is None or (phase := game.phase(step)) is None:
            self.streams.begin(step)
            return self._round(self.streams, step)
        begun = game.state_dict()

        def again(draws: Draws) -> dict[str, Terms]:
            game.load_state_dict(begun)
            return self._round(draws, step)

        found = self.captures.play((self._observe, phase), again, lambda: self.streams.begin(step))
        game.load_state_dict(begun)
        game.skip(step)
        return found

    def _round(self, draws: Draws, step: int) -> dict[str, Terms]:
        self._norms = {}
        with self.engine.autocast():
            terms, seen = play_round(self.game, step, self.recipe.batch, draws, self._update, observe=self._observe)
        return {"terms": terms, "seen": seen, "norms": self._norms}

    def _changing(self) -> dict[str, list[Tensor]]:
        """All tensors that a round changes, by what they are: weights, buffers and each kind of moment."""
        found: dict[str, list[Tensor]] = {}
        for name, network in self.game.networks.items():
            found[f"{name}.weights"], found[f"{name}.buffers"] = list(network.parameters()), list(network.buffers())
        for name, optimizer in self.optimizers.items():
            for moments in optimizer.state.values():
                for kind, value in moments.items():
                    if isinstance(value, Tensor):
                        found.setdefault(f"{name}.{kind}", []).append(value)
        return found

    def _update(self, name: str, terms: Terms) -> None:
        player = self.recipe.players[name]
        if player.frozen:
            return
        norm = self.engine.step(
            self.game.weights[name],
            self.optimizers[name],
            terms.values(),
            clip=player.clip,
            measure=self._observe,
        )
        if norm is not None:
            self._norms[name] = norm

    def _set_rates(self, factor: float) -> None:
        for name, optimizer in self.optimizers.items():
            player = self.recipe.players[name]
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):  # where a captured graph looks for it
                    group["lr"].fill_(player.lr * factor)
                else:
                    group["lr"] = player.lr * factor
                group.update({field: getattr(player, field) for field in OPTIMIZER_FIELDS[player.optimizer]})

    def settle(self) -> None:
        """Read the ledger; `DivergedError` where a term is not finite. All processes call this at the same step."""
        values = self.ledger.values()
        if values is not None and self.engine.world > 1:
            self.engine.average([values])
        self.ledger.settle(values)

    def state_dict(self) -> State:
        """A tree of tensors and JSON values; its first level names the files of a checkpoint."""
        return {
            "weights": {name: network.state_dict() for name, network in self.game.networks.items()},
            "ema": self.ema.network.state_dict() if self.ema else {},
            "optimizers": {name: optimizer_state(o) for name, o in self.optimizers.items()},
            "chance": self.streams.state_dict(),
            "game": self.game.state_dict(),
            "ledger": self.ledger.state_dict(),
            "counters": {
                "step": self.step,
                "images": self.images,
                "seconds": self.seconds,
                "best": self.best,
                "bests": dict(self.bests),
                "scored": self.scored,
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict` of a training of the same networks; other rates, batch and rules may differ."""
        if self.captures is not None:
            self.captures.forget()
        for name, network in self.game.networks.items():
            load_weights(network, state["weights"][name])
        if self.ema:
            load_weights(self.ema.network, state["ema"] or state["weights"][self.game.generator])
        for name, optimizer in self.optimizers.items():
            load_optimizer_state(optimizer, state["optimizers"][name])
        self.streams.load_state_dict(state["chance"])
        self.game.load_state_dict(state["game"])
        self.ledger.load_state_dict(state["ledger"])
        counters = state["counters"]
        self.step, self.images, self.seconds = counters["step"], counters["images"], counters["seconds"]
        self.best, self.bests = counters["best"], dict(counters.get("bests", {}))
        self.scored = counters.get("scored", self.scored)


def weights_in_use(state: State, name: str, generator: str) -> dict[str, Tensor]:
    """A network's weights in a checkpoint: of the generator its average, where there is one."""
    found: dict[str, Tensor] = (state["ema"] if name == generator else None) or state["weights"][name]
    return found


def make_optimizer(network: nn.Module, player: Player, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer that a player's recipe names, on the fastest path that the device has."""
    weights = list(network.parameters())
    told: dict[str, Any] = {field: getattr(player, field) for field in OPTIMIZER_FIELDS[player.optimizer]}
    if player.optimizer == "adam":
        if device.type == "cpu":
            return Adam(weights, lr=player.lr, fused=True, **told)
        on_cuda = device.type == "cuda"
        lr = torch.tensor(player.lr, device=device) if on_cuda else player.lr
        return torch.optim.Adam(weights, lr=lr, fused=on_cuda, capturable=on_cuda, **told)
    kind = torch.optim.RMSprop if player.optimizer == "rmsprop" else torch.optim.SGD
    return kind(weights, lr=player.lr, foreach=True, **told)


def optimizer_state(optimizer: torch.optim.Optimizer) -> State:
    """Moments and step counts by the number of the parameter; rates are the recipe's and not kept."""
    return {str(index): dict(moments) for index, moments in optimizer.state_dict()["state"].items()}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """The reverse of `optimizer_state`, under the rates that the optimizer has."""
    groups = optimizer.state_dict()["param_groups"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    moments = {
        int(index): {name: _laid_out_as(weights[int(index)], value) for name, value in values.items()}
        for index, values in state.items()
    }
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def _laid_out_as(weight: Tensor, moment: Any) -> Any:
    """A moment in the memory layout of its weight: fused steps walk both as they lie."""
    if not isinstance(moment, Tensor) or moment.shape != weight.shape:
        return moment
    return torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
