"""A trial as typed values: which row of the tables it belongs to, what it builds, how long it runs and who judges it.

`platform.experiment.plan` makes them, Tune carries them, `platform.run.trainable` runs them.  A row has a stable id;
its label is for eyes only, and nothing branches on it.
"""
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal


class Role(StrEnum):
    """What a row is there for."""

    LEARNER = "learner"                                    # an algorithm of ours or of a user, which meets users
    RLLIB = "rllib"                                        # a baseline of RLlib
    BEHAVIOUR = "behaviour"                                # the policy that wrote the experiment's log
    REFERENCE = "reference"                                # does not learn from interaction: random, popularity
    BOUND = "bound"                                        # sees what is hidden in the users: the oracle

    @property
    def races(self) -> bool:
        """Whether the row is one of those that the experiment compares."""
        return self in (Role.LEARNER, Role.RLLIB)


@dataclass(frozen=True)
class Row:
    """A row of the tables: all trials (seeds) of one algorithm with one setting."""

    id: str
    """stable: the algorithm's name, numbered where it stands more than once"""
    label: str
    """for eyes only"""
    role: Role
    algorithm: str
    """name of the algorithm, of RLlib's, or ``oracle``"""


@dataclass(frozen=True)
class Spec:
    """What a process needs to build one trial's environment and algorithm (plain values: it travels by pickle)."""

    env_id: str
    env_params: dict[str, Any] = field(default_factory=dict)
    algorithm: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    shards: int = 1
    users_per_shard: int = 64

    @property
    def users(self) -> int:
        """Users at a time."""
        return self.shards * self.users_per_shard


@dataclass(frozen=True)
class Trial:
    """One run of one row."""

    row: Row
    spec: Spec
    seed_number: int
    stage: Literal["search", "final"]
    budget: int
    """real environment steps; 0: no users are met"""
    report_every: int
    """environment steps between two reports"""
    validation_users: int
    test_users: int
    """0: not judged at the end"""
    score: Literal["session", "collected", "regret"] = "session"
    replications: int = 1
    workers: int = 0
    learner_threads: int = 1
    step_timeout: float | None = None
    """seconds after which a worker that has not given its shard back is replaced"""
    from_log: bool = False
    """whether it learns from the environment's log, or from ``log``, before it meets users"""
    log: str | None = None
    """path of the simulated log of this seed, where the experiment has one"""
    checkpoints: tuple[str, ...] = ()
    """folders that it goes on from: the first of them that is whole"""
    estimates: tuple[str, ...] = ()
    """off-policy estimators that value its final policy"""
    ranking: str | None = None
    """name of the order that the environment's fit knows, which the policy is"""
    shows_examples: bool = False
    space: dict[str, Any] = field(default_factory=dict)
    """search spaces by parameter (stage ``search``)"""

    @property
    def id(self) -> str:
        """Stable, and unique in a stage: the row's id and the number of the seed."""
        return f"{self.row.id}/{self.seed_number}"

    @property
    def identity(self) -> dict[str, Any]:
        """The columns with which every row of every table begins."""
        return {"trial": self.id, "row": self.row.id, "algorithm": self.row.label, "role": self.row.role.value,
                "seed": self.seed_number}

    def plain(self) -> dict[str, Any]:
        """The trial as plain values: Tune carries no others untouched through its search spaces."""
        return asdict(self)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Trial":
        """The reverse of `plain`."""
        row, spec = plain["row"], plain["spec"]
        return cls(**plain | {"row": Row(**row | {"role": Role(row["role"])}), "spec": Spec(**spec),
                              "estimates": tuple(plain["estimates"]),
                              "checkpoints": tuple(plain["checkpoints"])})

    def with_params(self, drawn: dict[str, Any]) -> "Trial":
        """The trial with the values that a search drew among its parameters."""
        return replace(self, spec=replace(self.spec, params=self.spec.params | drawn))
