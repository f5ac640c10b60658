"""The counters' randomness: published values, uniformity, independence; and a kernel cache that sees every edit."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from scipy import stats

import envs
from envs.engine.rng import bits, combine, integer, kernel_cache, mix, normal, normal_pair, session_key, uniform

ROWS = 200_000


@numba.njit
def table(function, seed, users, steps, purposes, slots, out):
    """``function`` of (user, step, purpose, slot) for all of them."""
    for u in range(users):
        key = session_key(seed, u, 0)
        for t in range(steps):
            for p in range(purposes):
                for s in range(slots):
                    out[u, t, p, s] = function(key, t, p, s)
    return out


def named(seed, user, session):
    """The key as a kernel sees it (Numba hands uint64 to Python as an int, and an int back as int64)."""
    return np.uint64(session_key(seed, user, session))


def draws(function, users=1, steps=1, purposes=1, slots=1, seed=12345):
    return table(function, seed, users, steps, purposes, slots, np.empty((users, steps, purposes, slots)))


def correlation(x, y):
    """In standard errors: N(0, 1) for independent samples."""
    return abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) * np.sqrt(x.size)


def test_splitmix64_gives_the_published_numbers():
    """Steele, Lea & Flood 2014: output i is the finaliser of seed + i · golden; two well-known sequences."""
    golden = 0x9E3779B97F4A7C15
    zero = [int(mix(np.uint64(i * golden % 2**64))) for i in range(3)]
    assert zero == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    known = [int(mix(np.uint64((1234567 + i * golden) % 2**64))) for i in range(5)]
    assert known == [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
                     16408922859458223821]


def test_every_input_bit_moves_half_of_the_output_bits():
    rng = np.random.default_rng(1)
    flips = np.zeros(64)
    for word in rng.integers(2**63, size=200):
        for bit in range(64):
            flips[bit] += bin(int(mix(np.uint64(word))) ^ int(mix(np.uint64(int(word) ^ 1 << bit)))).count("1")
    assert (abs(flips / 200 - 32) < 4.5 * 4 / np.sqrt(200)).all()            # a flip count is Binomial(64, ½), sd 4


def test_a_coin_is_the_top_53_bits_and_each_word_of_its_name_matters():
    key = named(7, 4711, 2)
    assert key == combine(np.uint64(combine(np.uint64(mix(np.uint64(7))), 4711)), 2)
    assert uniform(key, 3, 1, 0) == (int(bits(key, 3, 1, 0)) >> 11) / 2**53
    assert combine(np.uint64(combine(key, 1)), 2) != combine(np.uint64(combine(key, 2)), 1)
    names = [(named(*who), *what) for who in ((7, 4711, 2), (8, 4711, 2), (7, 4712, 2), (7, 4711, 3), (4711, 7, 2))
             for what in ((3, 1, 0), (4, 1, 0), (3, 2, 0), (3, 1, 1), (1, 3, 0), (0, 1, 3))]
    assert len({int(bits(*name)) for name in names}) == len(names)


@pytest.mark.parametrize("axis", ["users", "steps", "purposes", "slots"])
def test_coins_are_uniform_and_independent_along_every_axis(axis):
    """Chi-square on 100 bins, and on 10 × 10 cells of neighbours (their dependence of any kind)."""
    most = {"purposes": 2**16}.get(axis, ROWS)
    u = draws(uniform, **{axis: most}).ravel()
    assert 0.0 <= u.min() and u.max() < 1.0
    assert stats.chisquare(np.bincount((u * 100).astype(int), minlength=100)).pvalue > 1e-3
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    for lag in (1, 2, 64):
        first, second = u[:-lag:lag + 1], u[lag::lag + 1]                    # pairs that share no coin
        cells = np.histogram2d(first, second[:len(first)], bins=10, range=[[0, 1]] * 2)[0]
        assert stats.chisquare(cells.ravel()).pvalue > 1e-3
        assert correlation(u[:-lag], u[lag:]) < 4


def test_coins_of_other_purposes_users_steps_seeds_are_uncorrelated():
    u = draws(uniform, users=200, steps=50, purposes=3, slots=5)
    other = draws(uniform, users=200, steps=50, purposes=3, slots=5, seed=12346)
    assert correlation(u, other) < 4
    for axis in range(4):
        assert correlation(np.delete(u, 0, axis), np.delete(u, -1, axis)) < 4
    assert len(np.unique(u)) == u.size


def test_normals_have_the_moments_and_the_tails_of_a_normal():
    z = draws(normal, users=ROWS).ravel()
    n = np.sqrt(ROWS)
    for power, moment, sd in ((1, 0, 1), (2, 1, np.sqrt(2)), (3, 0, np.sqrt(15)), (4, 3, np.sqrt(96))):
        assert abs((z**power).mean() - moment) < 4 * sd / n
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert correlation(z[1:], z[:-1]) < 4
    assert correlation(z**2, draws(uniform, users=ROWS).ravel()) > 100        # one name, one coin


def test_a_pair_of_normals_is_two_independent_ones():
    keys = [named(5, user, 0) for user in range(20_000)]
    x, y = np.array([normal_pair(key, 3, 1, 0) for key in keys]).T
    assert all(normal(key, 3, 1, 0) == first for key, first in zip(keys[:50], x, strict=False))
    assert stats.kstest(y, "norm").pvalue > 1e-3
    assert correlation(x, y) < 4 and correlation(x**2, y**2) < 4 and correlation(abs(x), y) < 4
    assert stats.kstest(np.arctan2(y, x) / (2 * np.pi) + .5, "uniform").pvalue > 1e-3          # no direction is special


def test_integers_are_uniform_on_their_range():
    key = named(3, 1, 0)
    values = np.array([integer(key, t, 1, 0, 7) for t in range(14_000)])
    counts = np.bincount(values, minlength=7)
    assert len(counts) == 7 and stats.chisquare(counts).pvalue > 1e-3


# the cache of compiled kernels ----------------------------------------------------------------------------------------
def python(code, folder, cache):
    """The last line printed by ``code`` in a fresh process that finds packages in ``folder``."""
    env = os.environ | {"PYTHONPATH": str(folder), "RECLOOP_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_edit_in_the_file_of_a_called_function_is_seen(tmp_path):
    """`outer` stands in a file that nobody touches; only the function it calls, in another file, is edited."""
    toy = tmp_path / "toy"
    (toy / "engine").mkdir(parents=True)
    (toy / "__init__.py").touch()
    shutil.copy(Path(envs.__file__).parent / "engine" / "rng.py", toy / "engine" / "rng.py")
    inner = "from .engine.rng import kernel\n@kernel\ndef inner(x):\n    return x + {}\n"
    (toy / "a.py").write_text(inner.format(1))
    (toy / "b.py").write_text("from .engine.rng import kernel\nfrom .a import inner\n"
                              "@kernel\ndef outer(x):\n    return 2 * inner(x)\n")
    code = ("from toy.b import outer; from toy.engine.rng import kernel_cache\n"
            "print(outer(3), sum(outer.stats.cache_hits.values()), kernel_cache())")
    first, again = python(code, tmp_path, tmp_path / "cache"), python(code, tmp_path, tmp_path / "cache")
    assert first[:2] == ["8", "0"] and again == ["8", "1", first[2]]          # compiled once, then found
    (toy / "a.py").write_text(inner.format(2))
    assert python(code, tmp_path, tmp_path / "cache")[0] == "10"
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_cache_folder_is_named_by_the_whole_of_envs(tmp_path):
    copy = tmp_path / "envs"
    shutil.copytree(Path(envs.__file__).parent, copy, ignore=shutil.ignore_patterns("data", "__pycache__"))
    code = "import envs.engine.rng; print(envs.engine.rng.__file__, envs.engine.rng.kernel_cache().name)"
    file, name = python(code, tmp_path, tmp_path / "cache")
    assert file.startswith(str(tmp_path)) and name == kernel_cache().name     # the content counts, not the place
    with open(copy / "engine" / "choice.py", "a") as choice:
        choice.write("\n# one more line\n")
    assert python(code, tmp_path, tmp_path / "cache")[1] != name


def test_without_a_home_the_cache_falls_back(tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setenv("RECLOOP_CACHE", str(blocked / "inside"))
    monkeypatch.setenv("HOME", str(blocked))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert kernel_cache().parent.parent == tmp_path
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(blocked))
    with pytest.raises(OSError, match="set RECLOOP_CACHE"):
        kernel_cache()
