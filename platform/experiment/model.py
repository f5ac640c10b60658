"""One YAML file, one question: the experiment as typed models.

`platform.experiment.reading` makes one from a file, `platform.experiment.plan` makes its trials.
"""
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

REFERENCES = ("random", "popularity", "ranking")                     # rows that do not learn from interaction


class Problem(ValueError):
    """Something about an experiment that must be mended before it can run."""


class Model(BaseModel):
    """Unknown keys are refused; the sentence under a field is its description (docs/experiment-files.md)."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Env(Model):
    """Whom the recommenders meet."""

    id: str
    """The environment: one of `recloop list`, or any Gymnasium id (`my_package:MyEnv-v0` imports `my_package`)."""
    params: dict[str, Any] = {}
    """Parameters of the environment; its file lists them with unit, range and source."""


class Population(Model):
    """How many users there are, and for what."""

    shards: int = Field(1, ge=1)
    """Parts into which the users in flight are cut; a shard is the piece of work that a worker gets."""
    users_per_shard: int = Field(64, ge=1)
    """Users of one shard; `shards × users_per_shard` users are in flight at a time."""
    eval_users: int = Field(1000, ge=1)
    """Test users: each plays one session with the final policy of every row."""
    validation_users: int = Field(200, ge=1)
    """Validation users: they score the reports of a run, and the trials of a search."""
    replications: int = Field(1, ge=1)
    """Independent learners in one array program, for `score: regret` and `collected`; they share the users equally."""

    @property
    def users(self) -> int:
        """Users at a time."""
        return self.shards * self.users_per_shard


class Budget(Model):
    """What a learner may spend."""

    env_steps: int = Field(ge=1)
    """Real environment steps of one trial, all its users and replications together; a reset is no step."""
    reports: int = Field(10, ge=1)
    """Points of the learning curve: validation scores and checkpoints are made so often."""


class Entry(Model):
    """One row of the table: an algorithm with its parameters.  It has either `name` or `rllib`."""

    name: str = ""
    """An algorithm of ours (`recloop list`), `random`, `popularity`, or yours as `my_package:MyAlgorithm`."""
    rllib: str = ""
    """A baseline of RLlib: PPO, APPO, IMPALA, DQN or SAC."""
    label: str = ""
    """What the row is called in tables, and part of its seeds; needed where an algorithm stands in two rows."""
    params: dict[str, Any] = {}
    """Hyper-parameters; a value may be a search space.  RLlib's are the arguments of its `training()`."""
    view: dict[str, str] = {}
    """Another view of the same users: `observe` or `action` of the environment's parameters, for this row alone."""
    from_log: bool | None = None
    """Whether the row learns from the log first: that of the environment, or the one that `log:` has written."""
    online: bool = True
    """Whether the row meets users at all; false goes with `from_log: true`."""

    @property
    def shown(self) -> str:
        """The row's label in tables."""
        return self.label or (f"RLlib {self.rllib}" if self.rllib else self.name)


class Log(Model):
    """A log of simulated users for every seed: the policy ``name`` learns for ``env_steps``, then shows ``rows``."""

    name: str
    """The algorithm that chooses what is shown; it becomes the row "the log's policy"."""
    params: dict[str, Any] = {}
    """Its hyper-parameters."""
    env_steps: int = Field(0, ge=0)
    """Steps that it learns before the log begins; 0: it is as it was made."""
    rows: int = Field(ge=1)
    """Rows of the log, one recommendation each."""


class Search(Model):
    """How parameters with a search space get their values, on tuning seeds and validation users."""

    trials: int = Field(8, ge=1)
    """Configurations that are tried for each algorithm with a search space (times the values of its grids)."""
    scheduler: Literal["asha", "fifo"] = "asha"
    """`asha` stops bad trials early; `fifo` lets all of them run to the end."""
    searcher: Literal["random", "optuna"] = "optuna"
    """`optuna` learns where to look (TPE); `random` draws; where a space is a `grid` it is always `random`."""
    metric: Literal["eval/return_mean"] = "eval/return_mean"
    """What is to be maximised: the mean return of a session of the validation users."""
    mode: Literal["max"] = "max"
    """More is better."""


class Resources(Model):
    """What one trial takes of the machine."""

    workers: int = Field(0, ge=0)
    """Simulator processes of a trial; 0: it simulates in its own process.  Numbers do not depend on it."""
    learner_threads: int = Field(1, ge=1)
    """Threads of `learn`."""
    step_timeout: float | None = Field(None, gt=0)
    """Seconds that a worker may take for one block of one shard; then it is replaced and its shard given to another."""
    cpus: int | None = Field(None, ge=1)
    """CPUs that the whole run may use; none: all that this process may run on.  A cluster decides for itself."""


class Experiment(Model):
    """The resolved experiment; `question` is the comment in the file's first line."""

    question: str = ""
    """The question that the file answers: its first line, where that is a comment."""
    chapter: int = Field(0, ge=0)
    """The chapter of the path whose figures the experiment draws; 0: none."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the results folder, `results/NAME/TIME`, and part of every seed: another name is other luck."""
    env: Env
    """Whom the recommenders meet."""
    population: Population = Population()
    """How many users there are, and for what."""
    budget: Budget
    """What a learner may spend."""
    seeds: int = Field(1, ge=1)
    """Runs of every row with other luck; a verdict against RLlib needs 10."""
    score: Literal["session", "collected", "regret"] = "session"
    """What counts: `session` is the final policy on test users, the others what happens while learning."""
    algorithms: list[Entry] = Field(min_length=1)
    """The rows; random, popularity (where there is a log) and the oracle (where one is known) come by themselves."""
    reference: str = ""
    """The row that the others are compared with: today's policy, by its label."""
    search: Search = Search()
    """How parameters with a search space get their values."""
    resources: Resources = Resources()
    """What one trial takes of the machine."""
    log: Log | None = None
    """A log that a policy writes first, for every seed; rows with `from_log: true` learn from it."""
    estimates: list[Literal["direct_method", "ips", "snips", "doubly_robust", "fitted_q"]] = []
    """Off-policy estimators that value every final policy on a log; `fitted_q` goes with `log:`, alone."""
