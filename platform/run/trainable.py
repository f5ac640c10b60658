"""One trial: collect → learn → evaluate → report, as a Tune trainable.

`Race` is the one trainable of an experiment; behind it stands either `Ours` (algorithms of this project or of a user)
or `platform.run.rllib.Baseline` (RLlib).  Both report the same numbers at the same marks of real environment steps.
"""
import time
from typing import Any

import numpy as np
from ray import tune

from custom_algos.core import Algorithm, Transition, concat
from envs import logs

from ..experiment.model import BEHAVIOUR
from ..judge import evaluation, exact
from ..judge.estimates import estimate, fitted_q
from ..judge.online import Tally
from ..trial import checkpoint
from . import simulated_log as logbook
from .workers import Fleet, LocalFleet, Spec, make_algorithm, make_env, make_fleet, one_thread


class Ours:
    """One of our algorithms on a fleet of simulators.

    ``trial`` is a plain dict, see `platform.experiment.model.trials`.
    """

    def __init__(self, trial: dict[str, Any]):
        self.trial, self.env_steps, self.iteration, self.wall = trial, 0, 0, 0.0
        self.spec = Spec(trial["env_id"], trial["env_params"], trial["name"], trial["params"], trial["seed"],
                         trial["shards"], trial["users_per_shard"])
        self.algorithm: Algorithm | None = None
        self.fleet: LocalFleet | Fleet | None = None
        self.tally: Tally | None = None
        if trial["name"] == "oracle":
            return
        one = self.one = make_env(self.spec.env_id, self.spec.env_params, 1)
        self.algorithm = make_algorithm(self.spec, one)
        counted = trial["score"] != "session" and getattr(one.single_action_space, "n", 0)
        self.tally = Tally(trial["replications"], trial["budget"], int(counted))
        if trial["label"] == BEHAVIOUR:
            self.algorithm = logbook.load_policy(trial["log"], self.spec, one)
        elif trial["from_log"]:
            log = logbook.batch_of(logs.read(trial["log"]), one) if trial.get("log") else Transition(**one.log_batch())
            self.algorithm.learn(log)
        if trial["budget"]:
            self.fleet = make_fleet(self.spec, trial["workers"])

    def step(self) -> dict[str, Any]:
        """Train to the next mark; returns flat numbers."""
        mark = min(self.trial["budget"], self.env_steps + self.trial["report_every"])
        users = self.spec.shards * self.spec.users_per_shard
        sums: dict[str, float] = {}
        rows, learnt, start = 0, {}, time.monotonic()
        while self.env_steps < mark:
            assert self.algorithm and self.fleet and self.tally       # a trial with a budget has all three
            steps = min(self.algorithm.rollout_steps, -(-(self.trial["budget"] - self.env_steps) // users))
            shards = self.fleet.collect(self.algorithm.policy_state(), self.iteration, steps)
            batch = concat([part for part, _ in shards]) if len(shards) > 1 else shards[0][0]
            totals = {name: np.concatenate([part[name] for _, part in shards]) for name in shards[0][1]}      # [N]
            self.tally.add(batch, totals)
            for name, value in totals.items():
                sums[name] = sums.get(name, 0.0) + float(value.sum())
            with learner_threads(self.trial["learner_threads"]):
                learnt = self.algorithm.learn(batch)
            self.iteration += 1
            self.env_steps += batch.reward.size
            rows += batch.reward.size
        elapsed = time.monotonic() - start
        self.wall += elapsed
        result = {"env_steps": self.env_steps, "time_s": self.wall, "updates": self.iteration,
                  "rollout/reward_mean": sums["reward"] / rows if rows else float("nan"),
                  "time/env_steps_per_s": rows / elapsed if rows else float("nan"),
                  **{f"train/{name}": float(value) for name, value in learnt.items()}}
        if sums.get("sessions"):
            result["rollout/return_mean"] = sums["reward"] / sums["sessions"]
        if self.algorithm and hasattr(self.one, "mdp"):
            result |= exact.gap(self.one, self.algorithm)
        if "expected_reward" in sums:
            result["rollout/expected_reward_mean"] = sums["expected_reward"] / rows
        return result

    @property
    def policy(self):
        """What the evaluator asks for actions (None: the oracle)."""
        return self.algorithm

    def save(self, folder: str) -> None:
        checkpoint.save(folder, {
            "counters": {"env_steps": self.env_steps, "iteration": self.iteration, "wall": self.wall},
            "tally": self.tally.state() if self.tally else {},
            "algorithm": self.algorithm.state_dict() if self.algorithm else {},
            "shards": self.fleet.get_state() if self.fleet else []})

    def load(self, folder: str) -> None:
        saved = checkpoint.load(folder)
        self.env_steps, self.iteration = saved["counters"]["env_steps"], saved["counters"]["iteration"]
        self.wall = saved["counters"]["wall"]
        if self.algorithm and self.tally:
            self.tally.load(saved["tally"])
            self.algorithm.load_state_dict(saved["algorithm"])
        if self.fleet:
            self.fleet.set_state(saved["shards"])

    def stop(self) -> None:
        if self.fleet:
            self.fleet.stop()


class learner_threads:
    """Within the block torch uses ``n`` threads; acting before and after stays on one."""

    def __init__(self, n: int):
        self.n = n

    def __enter__(self):
        if self.n > 1:
            import torch

            torch.set_num_threads(self.n)
            if torch.get_num_threads() != self.n:
                raise RuntimeError(f"torch runs on {torch.get_num_threads()} threads, learner_threads = {self.n}")

    def __exit__(self, *_):
        if self.n > 1:
            one_thread()


class Race(tune.Trainable):
    """A trial of ours or of RLlib's: the same marks, the same evaluator, the same users."""

    @classmethod
    def default_resource_request(cls, config):
        import ray

        learner = {"CPU": max(1, config["trial"]["learner_threads"])}
        if "learner" in ray.cluster_resources():           # cluster.yaml: learners stay on the head, beside the results
            learner["learner"] = 1
        bundles = [learner] + [{"CPU": 1}] * config["trial"]["workers"]
        return tune.PlacementGroupFactory(bundles, strategy="PACK")

    def setup(self, config):
        self.trial = merged(config)
        one_thread()
        if self.trial["kind"] == "rllib":
            from .rllib import Baseline

            self.side: Baseline | Ours = Baseline(self.trial)
        else:
            self.side = Ours(self.trial)

    def step(self):
        trial, start = self.trial, time.monotonic()
        result = {"trial": trial["label"], "kind": trial["kind"], "seed": trial["seed_number"], **self.side.step()}
        done = result["env_steps"] >= trial["budget"]
        if done and isinstance(self.side, Ours) and self.side.algorithm:
            result["map"] = exact.learnt_map(self.side.one, self.side.policy)
        if done and self.side.tally:
            result |= {"curve": self.side.tally.curve, "shown": self.side.tally.shown.tolist()}
        if trial["score"] != "session":
            return result | self._collected(done) | {"time/wall_s": time.monotonic() - start, "done": bool(done)}
        explores = trial["label"] == BEHAVIOUR             # the log's policy is judged as it was when it wrote the log
        rows = evaluation.score(trial["env_id"], trial["env_params"], self.side.policy, "validation",
                                trial["validation_users"], explores)
        result["eval/return_mean"] = evaluation.mean_return(rows)
        if done and trial["test_users"]:
            result["scores"] = evaluation.score(trial["env_id"], trial["env_params"], self.side.policy, "test",
                                                trial["test_users"], explores)
            judged = ("ours",) if trial.get("log") else ("ours", "rllib", "reference")
            if trial["estimates"] and trial["kind"] in judged:
                one = make_env(trial["env_id"], trial["env_params"], 1)
                result["estimates"] = fitted_q(one, self.side.policy, logbook.held_out(trial["log"])) \
                    if trial.get("log") else estimate(one, self.side.policy, trial["estimates"])
            if trial["tell_story"]:
                result["story"] = evaluation.story(trial["env_id"], trial["env_params"], self.side.policy)
        return result | {"time/wall_s": time.monotonic() - start, "done": bool(done)}

    def _collected(self, done: bool) -> dict[str, Any]:
        """What was collected on the way is the score: nobody has to be evaluated."""
        measure, tally = self.trial["score"], self.side.tally
        assert tally                                         # rows that collect nothing are refused before Ray starts
        found: dict[str, Any] = {"eval/return_mean": float(tally.score(measure).mean())}
        return found | ({"scores": tally.rows(measure, self.trial["seed_number"])} if done else {})

    def save_checkpoint(self, checkpoint_dir):
        self.side.save(checkpoint_dir)

    def load_checkpoint(self, checkpoint):
        self.side.load(checkpoint)

    def reset_config(self, new_config):
        self.cleanup()
        self.setup(new_config)                             # a warm process for the next trial
        return True

    def cleanup(self):
        self.side.stop()


def merged(config: dict[str, Any]) -> dict[str, Any]:
    """The trial with the values that the search drew (``config["search"]``) among its parameters."""
    trial = dict(config["trial"])
    trial["params"] = trial["params"] | config.get("search", {})
    return trial
