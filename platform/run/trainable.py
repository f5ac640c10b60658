"""The one Tune trainable of an experiment: train to a mark, be judged, report; at the end, named tables.

Behind it stands `platform.run.learner.Learner` or `platform.run.rllib.Baseline`.  Both report the same numbers at the
same marks of real environment steps, and the same judges look at both.
"""
import time
from pathlib import Path

from ray import tune

from ..judge import final
from ..trial import checkpoint as states
from ..trial.build import one_thread
from ..trial.trial import Role, Trial
from .learner import Learner


class Race(tune.Trainable):
    """A trial of ours or of RLlib's.  Its config holds the plain ``trial`` and, in a search, what was drawn."""

    @classmethod
    def default_resource_request(cls, config):
        import ray

        trial = Trial.of(config["trial"])
        learner: dict[str, float] = {"CPU": max(1, trial.learner_threads)}
        if "learner" in ray.cluster_resources():           # cluster.yaml: learners stay on the head, beside the results
            learner["learner"] = 1
        return tune.PlacementGroupFactory([learner] + [{"CPU": 1}] * trial.workers, strategy="PACK")

    def setup(self, config):
        self.trial = Trial.of(config["trial"]).with_params(config.get("search", {}))
        self.notices: list[str] = []                       # what the user should be told with the next report
        one_thread()
        if self.trial.row.role is Role.RLLIB:
            from .rllib import Baseline

            self.side: final.Side = Baseline(self.trial)
        else:
            self.side = Learner(self.trial)

    def step(self):
        start = time.monotonic()
        result = {**self.trial.identity, **self.side.step()}
        done = result["env_steps"] >= self.trial.budget
        result["eval/return_mean"] = final.validate(self.trial, self.side)
        if done and self.trial.test_users:
            wall = result["time_s"]
            cost = {"env_steps": result["env_steps"], "wall_s": wall,
                    "env_steps_per_s": result["env_steps"] / wall if wall else float("nan")}
            result["tables"] = final.tables(self.trial, self.side, cost)
        told, self.notices = [*self.notices, *self.side.notices()], []
        result |= {"time/wall_s": time.monotonic() - start, "done": bool(done)}
        return result | ({"notices": told} if told else {})

    def save_checkpoint(self, checkpoint_dir):
        self.side.save(checkpoint_dir)

    def load_checkpoint(self, checkpoint):
        """Continue from ``checkpoint``, or from the newest whole one before it."""
        newest = Path(checkpoint)
        older = [path for path in newest.parent.glob("checkpoint_*") if path.name < newest.name]
        for folder in (newest, *sorted(older, reverse=True)):
            try:
                self.side.load(str(folder))
            except states.Broken as broken:
                self.notices.append(f"a checkpoint is passed over: {broken}")
                continue
            self._iteration = self._iteration if folder == newest else int(folder.name.rpartition("_")[2]) + 1
            return
        raise states.Broken(f"{newest}: no whole checkpoint, here or before it")

    def reset_config(self, new_config):
        self.cleanup()
        self.setup(new_config)                             # a warm process for the next trial
        return True

    def cleanup(self):
        self.side.stop()
