"""The one Tune trainable of an experiment: train to a mark, be judged, report; at the end, named tables.

Behind it stands `platform.run.learner.Learner` or `platform.run.rllib.Baseline`.  Both report the same numbers at the
same marks of real environment steps, and the same judges look at both.
"""
import contextlib
import time
from pathlib import Path

from ray import tune

from ..judge import final
from ..trial import checkpoint as states
from ..trial.build import one_thread
from ..trial.trial import Role, Trial
from .folder import append
from .learner import Learner
from .watch import Watch


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
        self.folder, self.report = Path(config["folder"]), 0
        self.watch = Watch(self._tell).start()
        one_thread()
        if self.trial.row.role is Role.RLLIB:
            from .rllib import Baseline

            self.side: final.Side = Baseline(self.trial, self.watch)
        else:
            self.side = Learner(self.trial, self.watch)
        self._continue([Path(path) for path in self.trial.checkpoints])

    def _tell(self, sentence: str) -> None:
        """To the driver, which shows what this file gains, and to the report."""
        with contextlib.suppress(OSError):                 # a full disk is told where it costs something
            append(self.folder / "notices.jsonl", {"trial": self.trial.row.label, "seed": self.trial.seed_number,
                                                   "stage": self.trial.stage, "notice": sentence})

    def step(self):
        start = time.monotonic()
        result = {**self.trial.identity, **self.side.step()}
        self.report += 1
        done = result["env_steps"] >= self.trial.budget
        with self.watch.at(f"the evaluation on {self.trial.spec.env_id}", patience=10):
            result["eval/return_mean"] = final.validate(self.trial, self.side)
            if done and self.trial.test_users:
                wall = result["time_s"]
                cost = {"env_steps": result["env_steps"], "wall_s": wall,
                        "env_steps_per_s": result["env_steps"] / wall if wall else float("nan")}
                result["tables"] = final.tables(self.trial, self.side, cost)
        return result | {"report": self.report, "time/wall_s": time.monotonic() - start, "done": bool(done)}

    def save_checkpoint(self, checkpoint_dir):
        self.side.save(checkpoint_dir)
        states.save(checkpoint_dir, {"report": self.report}, "report")

    def load_checkpoint(self, checkpoint):
        """Continue from ``checkpoint``, or from the newest whole one before it."""
        newest = Path(checkpoint)
        older = [path for path in newest.parent.glob("checkpoint_*") if path.name < newest.name]
        if not self._continue([newest, *sorted(older, reverse=True)]):
            raise states.Broken(f"{newest}: no whole checkpoint, here or before it")

    def _continue(self, newest_first: list[Path]) -> bool:
        """From the first of the checkpoints that is whole; the others are named.  False where none is."""
        for folder in newest_first:
            try:
                report = states.load(folder, "report")["report"]
                self.side.load(str(folder))
            except states.Broken as broken:
                self._tell(f"a checkpoint is passed over: {broken}")
                continue
            self.report = report
            return True
        return False

    def reset_config(self, new_config):
        self.cleanup()
        self.setup(new_config)                             # a warm process for the next trial
        return True

    def cleanup(self):
        self.watch.close()
        self.side.stop()
