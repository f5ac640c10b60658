r"""Off-policy estimators: what would another policy have earned on the rows of a log?

With w = π_e(a|x) / p(a|x), q̂ a fitted reward model and q̂(x, π_e) = Σ_a π_e(a|x) q̂(x, a):

| estimator | value | paper |
|---|---|---|
| `ips`           | E[w r]                                         | Horvitz & Thompson 1952 |
| `clipped_ips`   | E[min(w, c) r]                                 | Ionides 2008 |
| `snips`         | E[w r] / E[w]                                  | Swaminathan & Joachims 2015 |
| `direct_method` | E[q̂(x, π_e)]                                   | Beygelzimer & Langford 2009 |
| `doubly_robust` | E[q̂(x, π_e) + w (r − q̂(x, a))]                 | Dudík, Langford & Li 2011 |
| `sndr`          | E[q̂(x, π_e)] + E[w (r − q̂)] / E[w]             | Thomas & Brunskill 2016 (weighted DR, one step) |
| `switch_dr`     | E[q̂(x, π_e) + w 1{w ≤ τ} (r − q̂)]              | Wang, Agarwal & Dudík 2017 |
| `dr_os`         | E[q̂(x, π_e) + λ w / (w² + λ) (r − q̂)]          | Su, Dimakopoulou, Krishnamurthy & Dudík 2020 |

Each is a mean of per-row contributions; a ratio is one to first order (its influence function, the delta method).  Mean
and spread of these give value, standard error and the normal 95 % interval.  The interval is that of the sampling of
rows alone: it does not know the bias of a clipped weight, of a wrong propensity or of a wrong q̂, and q̂ must be fitted
on other rows than the ones that are valued.
"""
import math
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054                          # the normal distribution's 97.5 % quantile


@dataclass(frozen=True)
class Sample:
    """Rows of a log next to what the target policy would do there; checked once, when it is made."""

    reward: np.ndarray                           # [N]
    action: np.ndarray                           # [N] int, an index into the A actions
    target: np.ndarray                           # [N, A] π_e(a|x_n)
    propensity: np.ndarray | None = None         # [N] p(a|x) of the policy that chose; NaN = unknown
    q_hat: np.ndarray | None = None              # [N, A] the reward model's expected rewards

    def __post_init__(self):
        for name in ("reward", "target", "propensity", "q_hat"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        object.__setattr__(self, "action", np.asarray(self.action))
        n = len(self.reward) if self.reward.ndim == 1 else -1
        if n < 2:
            raise ValueError(f"reward has shape {self.reward.shape}, must be [N] with N >= 2 (one row has no spread)")
        if self.target.ndim != 2 or len(self.target) != n:
            raise ValueError(f"target has shape {self.target.shape}, must be [{n}, A]")
        for name, shape in (("action", (n,)), ("propensity", (n,)), ("q_hat", self.target.shape)):
            if (array := getattr(self, name)) is not None and array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, must be {list(shape)}")
        actions = self.target.shape[1]
        if self.action.dtype.kind not in "iu":
            raise ValueError(f"action has type {self.action.dtype}, must be whole numbers 0 … {actions - 1}")
        _every(np.isfinite(self.reward), "reward", self.reward, "a finite number")
        _every((self.action >= 0) & (self.action < actions), "action", self.action, f"in 0 … {actions - 1}")
        _every((self.target >= 0).all(1) & (abs(self.target.sum(1) - 1) < 1e-6), "target", self.target,
               "probabilities that sum to 1")
        if self.propensity is not None:
            _every(np.isnan(self.propensity) | (self.propensity > 0) & (self.propensity <= 1), "propensity",
                   self.propensity, "in (0, 1], or NaN for unknown")
        if self.q_hat is not None:
            _every(np.isfinite(self.q_hat).all(1), "q_hat", self.q_hat, "finite numbers")

    def weight(self, asked_by: str) -> np.ndarray:
        """w ``[N]``; ValueError where a propensity is unknown."""
        unknown = len(self.reward) if self.propensity is None else int(np.isnan(self.propensity).sum())
        if unknown:
            raise ValueError(f"{asked_by} needs the propensity of every logged action, unknown in {unknown} of "
                             f"{len(self.reward)} rows; the direct method alone can be reported (direct_method)")
        return self._logged(self.target) / self.propensity

    def model(self, asked_by: str) -> tuple[np.ndarray, np.ndarray]:
        """(q̂(x, π_e) ``[N]``, q̂(x, a) of the logged action ``[N]``); ValueError where there is no q̂."""
        if self.q_hat is None:
            raise ValueError(f"{asked_by} needs q_hat [N, A], the rewards a model expects of every action")
        return (self.target * self.q_hat).sum(1), self._logged(self.q_hat)

    def _logged(self, table):
        return table[np.arange(len(table)), self.action]


@dataclass(frozen=True)
class Estimate:
    """The value of a policy and how sure it is."""

    value: float
    standard_error: float
    low: float                                   # the 95 % interval
    high: float
    effective_sample_size: float                 # (Σ w)² / Σ w² (Kish 1965): unweighted rows worth as much
    rows: int


def ips(sample: Sample) -> Estimate:
    """Inverse propensity scores: unbiased if every propensity is right and no action of π_e is without support."""
    w = sample.weight("ips")
    return _mean(w * sample.reward, w)


def clipped_ips(sample: Sample, clip: float = 10.0) -> Estimate:
    """IPS with no weight above ``clip``: less variance, and a bias towards 0."""
    w = np.minimum(sample.weight("clipped_ips"), _at_least_zero("clip", clip))
    return _mean(w * sample.reward, w)


def snips(sample: Sample) -> Estimate:
    """Self-normalised IPS: cannot leave the range of the rewards, moves with them (r + c gives v + c)."""
    w = sample.weight("snips")
    value, influence = _ratio(w, sample.reward, "snips")
    return _estimate(value, influence, w)


def direct_method(sample: Sample) -> Estimate:
    """What the reward model says: needs no propensity, and is as wrong as q̂ is; the interval does not show that."""
    return _mean(sample.model("direct_method")[0], np.ones(len(sample.reward)))


def doubly_robust(sample: Sample) -> Estimate:
    """The model, corrected where the log can: unbiased if the propensities are right or q̂ is."""
    return _corrected(sample, sample.weight("doubly_robust"), "doubly_robust")


def sndr(sample: Sample) -> Estimate:
    """Doubly robust with the correction's weights normalised by their own mean."""
    w, (dm, q) = sample.weight("sndr"), sample.model("sndr")
    correction, influence = _ratio(w, sample.reward - q, "sndr")
    return _estimate(dm.mean() + correction, dm - dm.mean() + influence, w)


def switch_dr(sample: Sample, tau: float = 10.0) -> Estimate:
    """Doubly robust where w ≤ ``tau``, the model alone elsewhere: τ = 0 is the direct method, τ = ∞ doubly robust."""
    w = sample.weight("switch_dr")
    return _corrected(sample, np.where(w <= _at_least_zero("tau", tau), w, 0.0), "switch_dr")


def dr_os(sample: Sample, lambda_: float = 100.0) -> Estimate:
    """Doubly robust with shrunken weights, at most √λ / 2: λ = 0 is the direct method, λ = ∞ doubly robust."""
    w = sample.weight("dr_os")
    if _at_least_zero("lambda_", lambda_) == 0.0:
        return _corrected(sample, np.zeros_like(w), "dr_os")
    return _corrected(sample, w / (1.0 + w * w / lambda_), "dr_os")            # λw / (w² + λ), finite for λ = ∞


ESTIMATORS = {f.__name__: f for f in (ips, clipped_ips, snips, direct_method, doubly_robust, sndr, switch_dr, dr_os)}
NO_MODEL = ("ips", "clipped_ips", "snips")       # need no q̂; only direct_method needs no propensity


def estimate_all(sample: Sample) -> dict[str, Estimate]:
    """Every estimator that ``sample`` has the data for, by name."""
    known, modelled = sample.propensity is not None and not np.isnan(sample.propensity).any(), sample.q_hat is not None
    if not (known or modelled):
        raise ValueError("without propensities the direct method alone can be reported, and it needs q_hat [N, A]")
    return {name: estimator(sample) for name, estimator in ESTIMATORS.items()
            if (known or name == "direct_method") and (modelled or name in NO_MODEL)}


def _corrected(sample, w, asked_by):
    dm, q = sample.model(asked_by)
    return _mean(dm + w * (sample.reward - q), w)


def _mean(contribution, w):
    return _estimate(contribution.mean(), contribution - contribution.mean(), w)


def _ratio(w, y, asked_by):
    """Σ w y / Σ w and its influence per row, w (y − ratio) / mean(w)."""
    if not w.any():
        raise ValueError(f"{asked_by}: the target policy never takes a logged action, the log says nothing about it")
    ratio = (w * y).sum() / w.sum()
    return ratio, w * (y - ratio) / w.mean()


def _estimate(value, influence, w):
    n, square = len(influence), float(w @ w)
    error = math.sqrt(float(influence @ influence) / (n - 1) / n)
    return Estimate(float(value), error, float(value - Z95 * error), float(value + Z95 * error),
                    float(w.sum()) ** 2 / square if square else 0.0, n)


def _at_least_zero(name, value):
    if not value >= 0.0:
        raise ValueError(f"{name} = {value!r} must be >= 0")
    return value


def _every(good, name, values, valid):
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"{name} = {values[row]} in row {row} must be {valid}")
