"""Serving linear policies with hashed features: any features, any items, exact chances, the same bits everywhere."""
import math
from typing import Any

import numpy as np
from gymnasium import spaces

from custom_algos import find_algorithm
from custom_algos.bandits.hashed_linear import ACTION, CONTEXT, REQUEST, HashedLinear
from custom_algos.core import Transition, make_config
from custom_algos.parts import exact
from custom_algos.parts.hashing import ONE, Actions, Sparse, actions_of, features, key_of, names_of, padded
from custom_algos.parts.online import cross

from .decision import Decision, Event, Item, Refused, uniform, walk
from .observation import Observing, value_of
from .policy import NOT_FEATURES, Policy, split


class HashedPolicy(Policy):
    """Items are rows of features by id.  One raced on an environment sees its observations and its catalogue's rows."""

    open = audited = True
    algorithm: HashedLinear

    def __init__(self, algorithm: HashedLinear, ids=(), manifest=None, whole=True):
        super().__init__(algorithm, ids, manifest, whole)
        keys, values = (part[0] for part in algorithm.listed)
        self.rows = {item: Sparse(keys[a], values[a]) for item, a in self.place.items()} if len(keys) else {}
        self.catalogue: Actions | None = None                               # of all rows; made when first needed
        self.raced = "action_keys" not in getattr(algorithm.obs_space, "spaces", {})
        space = algorithm.obs_space
        if isinstance(space, spaces.Dict):                                  # candidates come with the request
            space = spaces.Dict({key: space[key] for key in algorithm.user_keys})
        self.observing = Observing(space, self.place, self.manifest.get("observer"), self.manifest.get("numbers")) \
            if self.raced and len(algorithm.context_keys) > 1 else None

    # deciding -----------------------------------------------------------------------------------------------------
    def decide(self, user, context, candidates, k, excluded, key, explore):
        ids, actions = self.shown(candidates)
        keys, values, out = self.context(user, context)
        allowed, algorithm = self.chosen(ids, [*excluded, *out] if out else excluded, k), self.algorithm
        scores = algorithm.values_of(keys, values, actions)                                    # [1, m]
        chances, places, left = [], [], allowed
        for slot in range(k):
            chances.append(algorithm.probabilities(scores, explore, left[None])[0])            # [m]
            places.append(walk(chances[slot], uniform(key, slot)))
            if slot + 1 < k:
                left = left.copy()
                left[places[slot]] = False
        items = tuple(Item(ids[place], float(prob[place])) for place, prob in zip(places, chances, strict=True))
        explored = bool(scores[0, places[0]] < np.where(allowed, scores[0], -np.inf).max())
        whole = math.prod(float(prob[place]) for place, prob in zip(places, chances, strict=True))
        return Decision(items, whole, ids, chances[0], scores[0], explored)

    def shown(self, candidates) -> tuple[list[str], Actions]:
        """(ids, features) of the candidates, or of the whole catalogue."""
        if candidates is not None:
            ids, given = split(candidates)
            return ids, actions_of([self.row(item, own) for item, own in zip(ids, given, strict=True)])
        if not self.rows:
            raise Refused("the policy has no items of its own: give candidates, or add items")
        if self.catalogue is None:
            self.catalogue, self._ids = actions_of(list(self.rows.values()), shared=True), list(self.rows)
        return self._ids, self.catalogue

    def row(self, item: str, given) -> Sparse:
        """The features of a candidate: those given, else the catalogue's."""
        if given is not None:
            return self.hashed(item, given)
        if item in self.rows:
            return self.rows[item]
        if self.rows:
            raise Refused(f"candidate {item!r} is not in the catalogue of {len(self.rows)} items: give its features, "
                          "or add it first")
        return self.hashed(item, {})

    def hashed(self, item: str, given: Any) -> Sparse:
        """An item's own features, and its id as one of them."""
        if (keys := self.algorithm.candidate_keys) is not None:             # raced on candidates with so many numbers
            return Sparse(keys, value_of(spaces.Box(-np.inf, np.inf, keys.shape, np.float64), given, f"item {item}")[0])
        first = (key_of("item", "=", item),) if self.algorithm.config.use_ids else ()
        return features({ACTION: given}, first=first)

    def context(self, user, context) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """(keys, values ``[1, C]``) of a request, the constant first, and the ids that the user's history rules out."""
        if self.observing is not None:
            obs, allowed = self.observing(user, context)
            out = [] if allowed is None else [item for item, a in self.observing.place.items() if not allowed[a]]
            return *self.algorithm.context(obs), out
        if self.raced:                                                      # it knows candidates alone
            return np.full((1, 1), ONE), np.ones((1, 1)), []
        if user is not None and not isinstance(user, str | dict):
            raise Refused(f"user = {str(user)[:80]} must be a text or an object with features")
        found = features({"user": _features_of(user), CONTEXT: {} if context is None else context})
        return (np.concatenate([[ONE], found.keys])[None].astype(np.uint64),
                np.concatenate([[1.0], found.values])[None], [])

    def explain(self, user, context, candidate, most: int = 10) -> list[tuple[str, float]]:
        """The ``most`` weightiest parts of a candidate's predicted reward, (name, part); their sum is its score."""
        (item,), (given,) = split([candidate])
        keys, values, _ = self.context(user, context)
        row, algorithm = self.row(item, given), self.algorithm
        named = {int(ONE): "", key_of("item", "=", item): f"item={item}"}
        if not self.raced:
            named |= names_of({"user": _features_of(user), CONTEXT: {} if context is None else context})
        named |= names_of({ACTION: given}) if given is not None else {}
        parts = []
        for c, v in zip(keys[0], values[0], strict=True):
            for f, u in [(ONE, 1.0), *zip(row.keys, row.values, strict=True)]:
                weight = algorithm.weights[0, cross(c, f, algorithm.shift)]
                name = [named.get(int(key), f"#{int(key):016x}") for key in (c, f)]
                parts.append(("^".join(filter(None, name)) or "constant", float(weight * v * u)))
        return sorted(parts, key=lambda part: -abs(part[1]))[:most]

    # learning -----------------------------------------------------------------------------------------------------
    def batch(self, events: list[Event]) -> Transition:
        contexts, actions = [], []
        for event in events:
            keys, values, _ = self.context(event.user, event.context)
            contexts.append(Sparse(keys[0, 1:], values[0, 1:]))             # the algorithm adds the constant
            given = None
            if event.candidates is not None:
                ids, own = split(event.candidates)
                if event.action not in ids:
                    raise Refused(f"item {event.action!r} was not among the candidates of its event")
                given = own[ids.index(event.action)]
            actions.append(self.row(event.action, given))
        seen = dict(zip(("context_keys", "context_values"), padded(contexts), strict=True))
        seen |= {name: part[:, None] for name, part in zip(("action_keys", "action_values"), padded(actions),
                                                           strict=True)}    # [n, 1, F]: the chosen one alone
        obs, n = {name: part[None] for name, part in seen.items()}, len(events)
        chance = np.array([np.nan if event.propensity is None else event.propensity for event in events])
        log_prob = np.where(np.isnan(chance), np.nan, exact.log(np.nan_to_num(chance, nan=1.0)))
        ends = np.ones((1, n), bool)
        return Transition(obs, np.zeros((1, n), np.int64), np.array([[event.reward for event in events]], np.float32),
                          obs, ends, ~ends, log_prob[None].astype(np.float32))

    # items and state ----------------------------------------------------------------------------------------------
    def add_items(self, items):
        ids, given = split(items)
        new = {item: self.hashed(item, {} if own is None else own) for item, own in zip(ids, given, strict=True)}
        self._keep(self.rows | new)

    def remove_items(self, items):
        if missing := [item for item in items if item not in self.rows]:
            raise Refused(f"item {missing[0]!r} is not in the catalogue")
        self._keep({item: row for item, row in self.rows.items() if item not in set(items)})

    def _keep(self, rows: dict[str, Sparse]) -> None:
        self.rows, self.catalogue = rows, None
        self.place = {item: a for a, item in enumerate(rows)}

    def state(self):
        joined = actions_of(list(self.rows.values()))
        return super().state() | {"items": {"ids": list(self.rows), "keys": joined.keys, "start": joined.start,
                                            "values": joined.values}}

    def load_state(self, state):
        super().load_state(state)
        held, start = state["items"], state["items"]["start"]
        self._keep({item: Sparse(held["keys"][start[a]:start[a + 1]], held["values"][start[a]:start[a + 1]])
                    for a, item in enumerate(held["ids"])})


def fresh_policy(algorithm: str = "squarecb", **config) -> HashedPolicy:
    """A policy that knows nothing yet, for requests that bring their own features."""
    found = find_algorithm(algorithm)
    if not issubclass(found, HashedLinear):
        raise Refused(f"algorithm {algorithm!r} needs an environment; valid for requests with features of their own "
                      "are squarecb, linear_softmax and linear_epsilon_greedy")
    manifest = {"algorithm": algorithm, "params": config}
    return HashedPolicy(found(REQUEST, spaces.Discrete(1), make_config(found, config)), manifest=manifest)


def _features_of(user) -> dict:
    """What of a user is a feature."""
    return {name: value for name, value in user.items() if name not in NOT_FEATURES} if isinstance(user, dict) else {}
