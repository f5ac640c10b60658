"""The files of one results folder, read as they are: tables by name, and the rows that they speak of.

A row is one line of the leaderboard: an algorithm with its parameters, or a policy that does not learn.  Tables name
it by its id; what it does is its `Role`, and its label is printed and never compared.
"""
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..judge.verdict import Interval
from ..trial.trial import Role, Row

IDENTITY = ("trial", "row", "algorithm", "role", "seed")   # the first columns of every table


class Results:
    """One results folder; ValueError where it is from another version of the project."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        described = self.json("rows.json")
        if described is None:
            raise ValueError(f"{self.folder}: has no rows.json, as runs of an earlier version do; run the experiment "
                             "again to report on it")
        self.experiment: dict[str, Any] = yaml.safe_load((self.folder / "experiment.yaml").read_text()) or {}
        self.rows = {given["row"]: Row(given["row"], given["label"], Role(given["role"]), given["name"])
                     for given in described["rows"]}
        self.live, self.users_are_people = bool(described["live"]), bool(described["users_are_people"])
        self._special, self._unit = described, described["unit"]
        self.problem: dict[str, Any] = self.json("problem.json") or {}
        self.calibration: dict[str, Any] | None = self.json("calibration.json")
        curves = self.table("curves", "iteration", "env_steps")
        self.curves = curves.drop_duplicates(["trial", "iteration"], keep="last")    # a resumed trial reports again
        scores = self.table("scores", "block", "users", "return_mean")
        self.scores = scores.drop_duplicates(["trial", "seed", "block"], keep="last")
        self.users = self.scores.groupby("block").users.first().sort_index().astype(float)           # [B]

    def json(self, name: str) -> Any:
        """What a JSON file of the folder holds; None where there is none."""
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else None

    def table(self, name: str, *columns: str) -> pd.DataFrame:
        """``NAME.parquet``, empty (with the columns asked for) where there is none; ValueError for unknown rows."""
        path = self.folder / f"{name}.parquet"
        found = pd.read_parquet(path) if path.exists() else pd.DataFrame()
        if not len(found):
            return pd.DataFrame(columns=[*IDENTITY, *columns])
        if missing := [column for column in (*IDENTITY, *columns) if column not in found]:
            raise ValueError(f"{path}: has no column {', '.join(missing)}")
        if strange := sorted(set(found.row) - set(self.rows)):
            raise ValueError(f"{path}: rows.json does not know the row {', '.join(strange)}")
        return found

    def parts(self, table: pd.DataFrame) -> list[tuple[Row, pd.DataFrame]]:
        """The table cut into its rows of the leaderboard, in their order."""
        cut = dict(list(table.groupby("row", sort=False)))
        return [(row, cut[row.id]) for row in self.rows.values() if row.id in cut]

    # the rows -----------------------------------------------------------------------------------------------------
    @functools.cached_property
    def scored(self) -> list[Row]:
        """The rows that any score is known of."""
        return [row for row, _ in self.parts(self.scores)]

    def _named(self, key: str) -> Row | None:
        return next((row for row in self.scored if row.id == self._special[key]), None)

    @property
    def random(self) -> Row | None:
        return self._named("random")

    @property
    def reference(self) -> Row | None:
        return self._named("reference")

    @property
    def today(self) -> bool:
        """Whether the others are compared with the policy that wrote a real log, which is what runs today."""
        return self.live and self.reference is not None and self.reference.role is Role.BEHAVIOUR

    @property
    def bound(self) -> Row | None:
        return self._named("bound")

    @property
    def top(self) -> str:
        """What is 100 % of the way, in words; empty where nothing is known to be."""
        return "no regret" if self.measure == "regret" else self.bound.label if self.bound else ""

    def runs(self, row: Row) -> np.ndarray:
        """``[S, B]``: the complete runs of one row; a run without a score on every block is left out (and noted)."""
        own = self.scores[self.scores.row == row.id]
        wide = own.set_index(["seed", "trial", "block"]).return_mean.unstack("block").reindex(columns=self.users.index)
        return wide.dropna().to_numpy(float)

    def per_run(self, row: Row) -> np.ndarray:
        """``[S]``: the mean over users of each complete run."""
        return self.runs(row) @ (self.users.to_numpy() / self.users.sum())

    def ends(self) -> tuple[float, float]:
        """What counts as 0 and as 1: random and the bound (without one: the best row); NaN where random is missing."""
        means = {row.id: float(self.per_run(row).mean()) for row in self.scored if len(self.runs(row))}
        best = 0.0 if self.measure == "regret" else max(means.values(), default=np.nan)
        low, high = (means.get(row.id if row else "") for row in (self.random, self.bound))
        return np.nan if low is None else low, best if high is None else high

    # what was measured --------------------------------------------------------------------------------------------
    @property
    def measure(self) -> str:
        """session: the final policy on held-out users; collected, regret: what happened while learning."""
        return self.experiment.get("score") or "session"

    @property
    def exact(self) -> bool:
        """Whether scores are computed instead of sampled from users."""
        return "exact" in self.scores and len(self.scores) > 0 and bool(self.scores.exact.eq(True).all())

    @property
    def sign(self) -> int:
        """−1 where less is better.  Scores are kept as "more is better" (minus the regret) and shown with this sign."""
        return -1 if self.measure == "regret" else 1

    @property
    def steps(self) -> int:
        """Environment steps of a trial."""
        return int(self.experiment["budget"]["env_steps"])

    @property
    def runs_each(self) -> int:
        """Independent learners in one trial."""
        return int((self.experiment.get("population") or {}).get("replications") or 1)

    @property
    def run_word(self) -> str:
        return "runs" if self.runs_each > 1 else "seeds"

    @property
    def unit(self) -> str:
        return {"regret": "regret", "collected": "reward"}.get(self.measure, self._unit)

    @property
    def per(self) -> str:
        """What follows the unit."""
        return {"session": "per session", "collected": "per step, exploration included",
                "regret": f"after {self.steps // self.runs_each:,} interactions"}[self.measure]

    @property
    def judge(self) -> str:
        """Who says how good a policy is, in words; empty where what was collected on the way counts."""
        if self.measure != "session":
            return ""
        return "exact expected returns" if self.exact else f"{int(self.users.sum()):,} held-out users"

    @property
    def teaches(self) -> bool:
        """Whether the log (if there is one) tells recommenders apart at all."""
        return bool((self.calibration or {}).get("teaches", True))

    def facing(self, found: Interval) -> Interval:
        """An interval of "more is better" scores as it is shown."""
        if self.sign > 0:
            return found
        return found._replace(mean=-found.mean, low=-found.high, high=-found.low)
