"""From a finished race to a bundle: which policy, what it scored, and where it comes from."""
import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from custom_algos.bandits.hashed_linear import HashedLinear
from custom_algos.core import Algorithm
from custom_algos.rollout import make_rng

from ..experiment import reading
from ..experiment.model import Experiment, Problem
from ..experiment.plan import reference_id, trials
from ..report.answer import answer
from ..report.leaderboard import Board
from ..report.results import Results
from ..run.saved import newest_first, trial_name
from ..trial import checkpoint
from ..trial.build import make_algorithm, task_of
from ..trial.trial import Role, Row, Trial
from . import bundle, card
from .decision import Refused
from .fixed import FixedPolicy
from .hashed import HashedPolicy
from .spaces import first, plain


class Exported(NamedTuple):
    folder: Path
    row: Row


def export(run: str | Path, name: str | None = None, out: str | Path | None = None) -> Exported:
    """Write the policy of a row (by label or id; None: the best learner of ours) as a bundle, by default into
    ``RUN/bundle``; `Problem` or `Refused` says why it cannot be."""
    run = Path(run)
    if not (run / "experiment.yaml").exists() or not (run / "scores.parquet").exists():
        raise Problem(f"{run}: holds no finished run; name a results folder (results/NAME/TIME)")
    return leave(Results(run), name, out)


def leave(r: Results, name: str | None = None, out: str | Path | None = None) -> Exported:
    """The same of results that were read."""
    board, e = Board(r), reading.read(r.folder / "experiment.yaml")
    row = _row(e, r, board, name)
    trial, saved = _trial(e, r, row)
    task = task_of(e.env.id, trial.spec.env_params)
    if r.runs_each > 1:
        raise Refused(f"{r.folder}: each trial is {r.runs_each} independent learners, and one policy can be served; "
                      "run it with population.replications = 1")
    algorithm = make_algorithm(trial.spec, task)
    algorithm.load_state_dict(checkpoint.load(saved)["algorithm"])
    names = task.knows.names
    ids = names.ids() if names is not None and names.ids is not None else _numbers(algorithm)
    kind = HashedPolicy if isinstance(algorithm, HashedLinear) else FixedPolicy
    policy = kind(algorithm, ids)
    _, log_prob = algorithm.act(first(algorithm.obs_space), make_rng(0))
    manifest = _manifest(e, r, board, trial, algorithm) | {
        "ids": ids, "whole": policy.learns, "propensities": not bool(np.isnan(log_prob[0]))}
    observer = task.knows.observer
    items = {"features": task.knows.catalogue, "numbers": None if observer is None else observer.numbers}
    folder = Path(out) if out else r.folder / "bundle"
    return Exported(bundle.save_bundle(folder, manifest, policy.state(), items, card.text(manifest)), row)


def _row(e: Experiment, r: Results, board: Board, name: str | None) -> Row:
    can = [s.row for s in board.standings if s.row.role in (Role.LEARNER, Role.REFERENCE)]
    if name is None:
        found = next((s.row for s in board.learners if s.row.role is Role.LEARNER), None)
        if found is None:
            raise Refused(f"{r.folder}: no learner of ours has a final score; name a row with --row")
        return found
    wanted = reference_id(e.model_copy(update={"reference": name}), list(r.rows.values()))
    found = next((row for row in can if row.id == wanted), None)
    if found is None:
        raise Problem(f"--row {name}: cannot be exported; valid are {', '.join(row.label for row in can)}")
    return found


def _trial(e: Experiment, r: Results, row: Row) -> tuple[Trial, Path]:
    """The seed that did best on validation users, and its checkpoint."""
    own = {trial.seed_number: trial for trial in trials(e, "final") if trial.row.id == row.id}
    places = {number: [r.folder / "checkpoints" / trial_name(trial), *newest_first(r.folder, trial)]
              for number, trial in own.items()}
    kept = {number: next((path for path in paths if path.exists()), None) for number, paths in places.items()}
    curves = r.curves[r.curves.row == row.id]
    column = "eval/return_mean"
    last = curves.sort_values("iteration").groupby("seed")[column].last() if column in curves else {}
    for number in sorted(own, key=lambda seed: -np.nan_to_num(float(last.get(seed, np.nan)), nan=-np.inf)):
        if (path := kept[number]) is not None:
            return own[number], path
    raise Refused(f"{r.folder}: the checkpoints of {row.label} are gone; run the experiment again")


def _manifest(e: Experiment, r: Results, board: Board, trial: Trial, algorithm: Algorithm) -> dict[str, Any]:
    standing, machine = board.of(trial.row), r.json("machine.json") or {}
    knows = task_of(e.env.id, trial.spec.env_params).knows
    assert standing is not None
    gap, compared = standing.difference, r.reference is not None and trial.row.id != r.reference.id
    return {
        "algorithm": trial.spec.algorithm, "params": dataclasses.asdict(algorithm.config), "seed": trial.spec.seed,
        "observation_space": plain(algorithm.obs_space), "action_space": plain(algorithm.action_space),
        "titles": knows.names.titles() if knows.names else None,
        "observer": knows.observer.name if knows.observer else None, "versions": bundle.versions(),
        "score": {"unit": r.unit, "per": r.per, "judge": r.judge, "runs": standing.runs,
                  "mean": standing.score.mean, "interval": _ends(standing.score),
                  "reference": r.reference.label if compared and r.reference else None,
                  "today": bool(r.today and compared),
                  "difference": gap.mean if compared else None,
                  "difference_interval": _ends(gap) if compared else None},
        "answer": answer(r, board).text, "calibration": r.calibration,
        "provenance": {"experiment": e.model_dump(mode="json"), "row": trial.row.id, "label": trial.row.label,
                       "seeds": e.seeds, "seed_number": trial.seed_number, "env": trial.spec.env_id,
                       "log": Path(knows.log.world.source).name if knows.log else None,
                       "commit": machine.get("commit"), "versions": machine.get("versions"),
                       "finished": machine.get("finished")}}


def _ends(interval) -> list[float | None]:
    return [float(end) if np.isfinite(end) else None for end in (interval.low, interval.high)]


def _numbers(algorithm) -> list[str]:
    """Ids of actions without names: their numbers; none where the request brings its candidates."""
    parts = getattr(algorithm.obs_space, "spaces", {})
    if "candidates" in parts and len(parts["candidates"].shape) == 2:
        return []
    space, count = algorithm.action_space, 0
    if "candidates" in parts:
        count = 0 if algorithm.items is None else len(algorithm.items)
    elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        count = int(space.n if isinstance(space, spaces.Discrete) else space.nvec.flat[0])
    if not count:
        raise Refused(f"action space {space}: actions that are no items cannot be served")
    return [str(a) for a in range(count)]


