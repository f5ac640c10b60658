"""One YAML file, one question: the experiment as typed models.

`platform.experiment.reading` makes one from a file, `platform.experiment.plan` makes its trials.
"""
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

REFERENCES = ("random", "popularity")                     # rows that do not learn from interaction


class Problem(ValueError):
    """Something about an experiment that must be mended before it can run."""


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Env(Model):
    id: str
    params: dict[str, Any] = {}


class Population(Model):
    shards: int = Field(1, ge=1)
    users_per_shard: int = Field(64, ge=1)
    eval_users: int = Field(1000, ge=1)
    validation_users: int = Field(200, ge=1)
    replications: int = Field(1, ge=1)

    @property
    def users(self) -> int:
        """Users at a time."""
        return self.shards * self.users_per_shard


class Budget(Model):
    env_steps: int = Field(ge=1)
    reports: int = Field(10, ge=1)


class Entry(Model):
    name: str = ""
    rllib: str = ""
    label: str = ""
    params: dict[str, Any] = {}
    view: dict[str, str] = {}
    from_log: bool | None = None
    online: bool = True

    @property
    def shown(self) -> str:
        """The row's label in tables."""
        return self.label or (f"RLlib {self.rllib}" if self.rllib else self.name)


class Log(Model):
    """A log of simulated users for every seed: the policy ``name`` learns for ``env_steps``, then shows ``rows``."""

    name: str
    params: dict[str, Any] = {}
    env_steps: int = Field(0, ge=0)
    rows: int = Field(ge=1)


class Search(Model):
    trials: int = Field(8, ge=1)
    scheduler: Literal["asha", "fifo"] = "asha"
    searcher: Literal["random", "optuna"] = "optuna"
    metric: Literal["eval/return_mean"] = "eval/return_mean"
    mode: Literal["max"] = "max"


class Resources(Model):
    workers: int = Field(0, ge=0)
    learner_threads: int = Field(1, ge=1)
    cpus: int | None = Field(None, ge=1)


class Experiment(Model):
    """The resolved experiment; `question` is the comment in the file's first line."""

    question: str = ""
    chapter: int = Field(0, ge=0)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    env: Env
    population: Population = Population()
    budget: Budget
    seeds: int = Field(1, ge=1)
    score: Literal["session", "collected", "regret"] = "session"
    algorithms: list[Entry] = Field(min_length=1)
    reference: str = ""
    search: Search = Search()
    resources: Resources = Resources()
    log: Log | None = None
    estimates: list[Literal["direct_method", "ips", "snips", "doubly_robust", "fitted_q"]] = []
