r"""Who is better, and how sure that is: pure functions of arrays of scores, with their own statistics.

Two kinds of chance stand behind a score: the seed of the run (initial weights, exploration, the users it trained
on) and the users it was tested on.  ``scores [S, B]`` holds S runs, each tested on the same B blocks of users, and

    score[s, b] = level + run_s + block_b + rest_sb

`difference` speaks of new runs *and* new users; `welch` and `better` speak of new runs on these test users, and the
verdict of ours against another implementation is made of the latter two:

    WIN           (Welch's interval of d above 0 or placement interval of P above ½), d > 0.02, P > ½,
                  and at most one failed run more than the other side
    LOSS          the mirror image
    TIE           the 90 % interval of d inside ±0.05 (two one-sided tests)
    INCONCLUSIVE  anything else: add seeds, 10 -> 20 -> 30, the error of 5 % split over the three looks

d is the difference of normalised scores (random = 0, best possible = 1).  Welch keeps the level; the placement
interval sees through collapsed runs; the failure clause stops either from hiding them.

Sources: Satterthwaite 1946, Welch 1947 (degrees of freedom); DeLong, DeLong & Clarke-Pearson 1988 (placements);
Holm 1979; Schuirmann 1987 (two one-sided tests); Agarwal et al. 2021 (interquartile mean, stratified bootstrap).
"""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

MIN_SEEDS = 10                                              # fewer seeds make no verdict
LOOKS = ((30, 0.025), (20, 0.015), (10, 0.01))              # (seeds from, error of this look): 5 % together
RELEVANT, EQUAL, FAILED = 0.02, 0.05, 0.5                   # normalised: smallest win, half-width of tie, failed run


class Interval(NamedTuple):
    mean: float
    low: float
    high: float
    df: float = np.inf             # degrees of freedom of the t quantile
    p: float = np.nan              # two-sided, of "no difference"


class Verdict(NamedTuple):
    word: str                      # WIN, LOSS, TIE, INCONCLUSIVE or "too few seeds for a verdict: n of 10"
    difference: Interval           # of normalised scores, over runs
    better: Interval               # P(a run of ours beats a run of theirs)
    failures: tuple[int, int]      # runs below half of the way, ours and theirs
    level: float                   # of both intervals

    @property
    def decided(self) -> bool:
        return self.word in ("WIN", "LOSS", "TIE")


def normalise(score, low: float, high: float):
    """``(score − low) / (high − low)``: 0 is ``low`` (random), 1 is ``high`` (the best possible); NaN without a way."""
    return (np.asarray(score, np.float64) - low) / (high - low if high > low else np.nan)


def t_interval(mean: float, pieces: Sequence[tuple[float, float]], level: float, variance: float | None = None):
    """Student interval from independent ``pieces`` (variance, degrees of freedom) that add up to V.

    Satterthwaite: ν = V² / Σ Vᵢ²/νᵢ, never below the smallest νᵢ of a piece that counts.  ``variance`` is V where
    it is not the plain sum.
    """
    counted = [(v, df) for v, df in pieces if df > 0]
    if not counted or not np.isfinite(mean):
        return Interval(float(mean), np.nan, np.nan, 0.0, np.nan)
    total = sum(v for v, _ in counted) if variance is None else variance
    if total <= 0.0:
        return Interval(float(mean), float(mean), float(mean), np.inf, float(mean == 0.0))
    df = total**2 / sum(v**2 / df for v, df in counted)
    df = max(df, min(df for v, df in counted if v > 0.0))
    half = stats.t.ppf(0.5 + level / 2, df) * np.sqrt(total)
    return Interval(float(mean), float(mean - half), float(mean + half), float(df),
                    float(2 * stats.t.sf(abs(mean) / np.sqrt(total), df)))


# runs and users --------------------------------------------------------------------------------------------------
def difference(ours, theirs, users, level: float = 0.95) -> Interval:
    r"""Mean difference of two algorithms on the same users: an interval for new runs and new users.

    ``ours [S, B]``, ``theirs [S', B]``, ``users [B]``: how many users a block has (N in all).  With the users'
    weights the run means are x_s, y_s and the block differences d_b = mean_s ours − mean_s theirs;

        V = var(x_s)/S + var(y_s)/S' + Σ_b n_b (d_b − d)² / ((B−1) N) − V_rest

    V_rest, the variance of the mean of the residuals (two-way analysis of variance), is in the runs' piece and in
    the users' piece and is taken off once.  A side with one run has no runs' piece: right for a policy that does not
    learn; for a learner the interval then speaks of users only.
    """
    ours, theirs = np.atleast_2d(np.asarray(ours, float)), np.atleast_2d(np.asarray(theirs, float))
    users = np.asarray(users, float)
    weight, blocks = users / users.sum(), len(users)
    by_block = ours.mean(axis=0) - theirs.mean(axis=0)                                     # [B]
    mean = float(by_block @ weight)
    pieces, rest = [], []
    for scores in (ours, theirs):
        runs = len(scores)
        if runs < 2:
            continue
        by_run = scores @ weight                                                           # [S]
        pieces.append((by_run.var(ddof=1) / runs, runs - 1))
        if blocks > 1:
            residual = scores - by_run[:, None] - scores.mean(axis=0) + by_run.mean()      # [S, B]
            df = (runs - 1) * (blocks - 1)
            rest.append(((users * residual**2).sum() / df / (runs * users.sum()), df))
    of_runs, of_rest, of_users = sum(v for v, _ in pieces), sum(v for v, _ in rest), 0.0
    if blocks > 1:
        of_users = float(users @ (by_block - mean) ** 2 / ((blocks - 1) * users.sum()))
        pieces.append((of_users, blocks - 1))
    total = max(of_runs + of_users - of_rest, of_runs, of_users, of_rest)      # no part may be larger than the whole
    return t_interval(mean, pieces + rest, level, total)


def level_of(scores, users, level: float = 0.95) -> Interval:
    """The mean of one algorithm ``[S, B]`` with an interval for new runs and new users."""
    return difference(scores, np.zeros((1, len(users))), users, level)


# runs only -------------------------------------------------------------------------------------------------------
def welch(ours, theirs, level: float = 0.95) -> Interval:
    """Difference of the means of two samples of runs ``[S]``, ``[S']`` with unequal variances."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    pieces = [(x.var(ddof=1) / len(x), len(x) - 1) for x in (ours, theirs) if len(x) > 1]
    return t_interval(ours.mean() - theirs.mean(), pieces, level)


def better(ours, theirs, level: float = 0.95) -> Interval:
    """P(X > Y) + ½ P(X = Y) of two samples of runs, with the placement interval on the logit scale.

    The placement of a run is the share of the other side that it beats; the variance of the estimate is
    var(placements of ours)/S + var(placements of theirs)/S'.  Where one side beats the other completely that variance
    is 0 and the logit infinite: one of the S·S' pairs then counts as a tie.
    """
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    wins = (ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)                      # [S, S']
    if min(wins.shape) < 2:
        return Interval(float(wins.mean()), 0.0, 1.0, np.inf, 1.0)
    estimate = float(wins.mean())
    if estimate in (0.0, 1.0):
        wins[0, 0] = 0.5
    p = wins.mean()
    variance = sum(wins.mean(axis=axis).var(ddof=1) / wins.shape[1 - axis] for axis in (0, 1))
    if variance <= 0.0:
        return Interval(estimate, estimate, estimate, np.inf, float(p == 0.5))
    logit, se = np.log(p / (1 - p)), np.sqrt(variance) / (p * (1 - p))
    ends = logit + np.array([-1.0, 1.0]) * stats.norm.ppf(0.5 + level / 2) * se
    low, high = 1.0 / (1.0 + np.exp(-ends))
    return Interval(estimate, float(min(low, estimate)), float(max(high, estimate)), np.inf,
                    float(2 * stats.norm.sf(abs(logit) / se)))


# the verdict -----------------------------------------------------------------------------------------------------
def error_of(seeds: int) -> float:
    """The error that a look at this many seeds may spend; below the first look intervals only describe (5 %)."""
    return next((alpha for least, alpha in LOOKS if seeds >= least), 0.05)


def verdict(ours, theirs, cells: int = 1) -> Verdict:
    """The rule of the module's docstring for normalised scores of runs; ``cells`` comparisons share the error."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    seeds = min(len(ours), len(theirs))
    level = 1.0 - error_of(seeds) / cells
    d, p = welch(ours, theirs, level), better(ours, theirs, level)
    failures = (int((ours < FAILED).sum()), int((theirs < FAILED).sum()))
    equal = welch(ours, theirs, 0.90)
    if seeds < MIN_SEEDS:
        word = f"too few seeds for a verdict: {seeds} of {MIN_SEEDS}"
    elif (d.low > 0 or p.low > 0.5) and d.mean > RELEVANT and p.mean > 0.5 and failures[0] <= failures[1] + 1:
        word = "WIN"
    elif (d.high < 0 or p.high < 0.5) and d.mean < -RELEVANT and p.mean < 0.5 and failures[1] <= failures[0] + 1:
        word = "LOSS"
    elif equal.low >= -EQUAL and equal.high <= EQUAL:
        word = "TIE"
    else:
        word = "INCONCLUSIVE"
    return Verdict(word, d, p, failures, level)


def verdicts(pairs: Sequence[tuple]) -> list[Verdict]:
    """One verdict for each pair of samples, Holm over those with enough seeds.

    The most significant of k is judged with 1/k of the error, the next with 1/(k−1), until one is not significant;
    the rest shares that one's error.
    """
    seeds = [min(len(ours), len(theirs)) for ours, theirs in pairs]
    left = max(sum(n >= MIN_SEEDS for n in seeds), 1)
    use = [min(welch(*pair).p, better(*pair).p) / error_of(n) if n >= MIN_SEEDS else np.inf
           for pair, n in zip(pairs, seeds, strict=True)]
    result: dict[int, Verdict] = {}
    for i in np.argsort(use, kind="stable"):
        ours, theirs = pairs[i]
        result[i] = verdict(ours, theirs, left if seeds[i] >= MIN_SEEDS else 1)
        if use[i] < 1.0 / left:
            left = max(left - 1, 1)
    return [result[i] for i in range(len(pairs))]


def sequential(ours, theirs) -> Verdict:
    """Look at the first 10, 20 and 30 runs of each side and stop at the first verdict."""
    available, found = min(len(ours), len(theirs)), verdict(ours[:MIN_SEEDS], theirs[:MIN_SEEDS])
    for least, _ in reversed(LOOKS):
        if available >= least and not found.decided:
            found = verdict(ours[:least], theirs[:least])
    return found


# describing a collection of environments -------------------------------------------------------------------------
def iqm(scores, axis=None):
    """Interquartile mean: the mean of the middle half.  For collections; on one environment it hides collapses."""
    return stats.trim_mean(np.asarray(scores, float), 0.25, axis=axis)


def bootstrap_iqm(cells: Sequence, entropy: int = 0, reps: int = 10_000, level: float = 0.95) -> Interval:
    """IQM over the runs of all ``cells`` (each ``[S]``), percentile interval; runs are redrawn within their cell."""
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    drawn = [np.asarray(cell, float)[rng.integers(0, len(cell), (reps, len(cell)))] for cell in cells]
    values = iqm(np.concatenate(drawn, axis=1), axis=1)                                    # [reps]
    low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(iqm(np.concatenate(list(cells)))), float(low), float(high))
