"""SARDINE: published figures of the released simulator, boredom against a scalar reference, closed forms."""
from collections import deque

import numpy as np
import pytest
from support.lives import agree, record, resumes
from support.sardine import play

from envs.sardine.catalogue import draw_embeddings
from envs.sardine.env import Sardine

# Returns of the released code with ± one standard error, (figures of 60 or 300 episodes, figures of 200 episodes), and
# steps with a bored topic.  Its embeddings are one draw of the recipe, ours another one a world.
PUBLISHED = {
    ("SingleItem-Static", "random"): ([(8.48, .35), (8.5, .4 / 1.96)], []),
    ("SingleItem-Uncertain", "random"): ([(11.6, .4), (11.2, .4 / 1.96)], []),
    ("SingleItem-Uncertain", "oracle"): ([(94.7, .5), (94.8, .5 / 1.96)], []),
    ("SingleItem-BoredInf", "random"): ([(8.8, .5 / 1.96)], []),
    ("SingleItem-BoredInf", "oracle"): ([(50.6, .2 / 1.96)], [(49, 200)]),
    ("SlateTopK-Bored", "random"): ([(42.8, .8), (43.0, 1.0 / 1.96)], [(6.5, 60)]),
    ("SlateTopK-Bored", "oracle"): ([(138.0, 4.0), (144.9, 4.9 / 1.96)], [(74.2, 60), (73, 200)]),
    ("SlateTopK-BoredInf", "random"): ([(41.3, 1.1), (41.6, 1.1 / 1.96)], [(6.8, 60)]),
    ("SlateTopK-BoredInf", "oracle"): ([(145.2, 5.1), (146.9, 4.9 / 1.96)], [(72.8, 60), (72, 200)]),
    ("SlateTopK-Uncertain", "random"): ([(69.3, 1.2 / 1.96)], []),
    ("SlateTopK-Uncertain", "oracle"): ([(136.6, 3.4 / 1.96)], [(71, 200)]),
    ("SlateRerank-Static", "random"): ([(14.9, .2), (14.6, .6 / 1.96)], []),
    ("SlateRerank-Static", "oracle"): ([(21.5, .2), (21.7, .6 / 1.96)], []),
    ("SlateRerank-Static", "reversed"): ([(8.9, .2)], []),
    ("SlateRerank-Bored", "random"): ([(12.4, .4 / 1.96)], []),
    ("SlateRerank-Bored", "oracle"): ([(13.7, .4 / 1.96)], [(4.9, 200)]),
}


# published figures ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "policy"), PUBLISHED, ids=lambda part: str(part))
def test_published_figures(name, policy):
    """Within 3 standard errors, those of the reference (one catalogue), of our mean and the spread of catalogues."""
    worlds, users = (24, 100) if "Rerank" in name else (6, 80)
    found = np.array([play(name, policy, users, world, compat=True) for world in range(worlds)])         # [W, 3, N]
    mean, spread = found.mean(axis=2), found.mean(axis=2).std(axis=0, ddof=1)                            # [W, 3], [3]
    within = found.std(axis=2).mean(axis=0)                                                              # [3]
    returns, bored = PUBLISHED[name, policy]
    for value, error in returns:
        off = np.sqrt(error**2 + spread[0] ** 2 * (1 + 1 / worlds))
        assert abs(mean[:, 0].mean() - value) < 3 * off, (mean[:, 0].mean(), value, off)
        assert abs(mean[:, 1].mean() - mean[:, 0].mean()) < 4 * within[1] / np.sqrt(worlds * users)      # clicks agree
    for value, episodes in bored:                          # printed with one digit at most: ± .5 where it has none
        off = np.sqrt((within[2] ** 2) / episodes + spread[2] ** 2 * (1 + 1 / worlds) + 1 / 12)
        assert abs(mean[:, 2].mean() - value) < 3 * off, (mean[:, 2].mean(), value, off)


def test_the_best_single_item_is_always_clicked():
    expected, clicks, bored = play("SingleItem-Static", "oracle", 400)
    assert (clicks == 100).all() and expected.min() > 99.99 and not bored.any()


def test_patience_is_worth_more_than_twice_the_next_click():
    """Rotating topics never bores and collects 2.9 times what the most relevant slates do (535 if nothing bored)."""
    greedy, rotation = (play("SlateTopK-Bored", "oracle", 100, oracle=o) for o in ("short_term", "rotation"))
    assert rotation[2].sum() == 0 and greedy[2].mean() > 70
    assert rotation[0].mean() > 2.7 * greedy[0].mean()
    assert rotation[0].max() < 100 * (1 - .85**10) / .15


# the catalogue and the users ------------------------------------------------------------------------------------------
def test_the_recipe_of_the_catalogue():
    items = np.concatenate([draw_embeddings(1000, 10, world) for world in range(20)])
    np.testing.assert_allclose(np.linalg.norm(items, axis=1), 1.0)
    topics = (items > 0).sum(axis=1)
    assert set(topics) == {2, 3} and abs((topics == 2).mean() - .5) < 4 * .5 / np.sqrt(20_000)
    main = np.bincount(items.argmax(axis=1)) / 20_000
    assert np.abs(main - .1).max() < 4.5 * np.sqrt(.09 / 20_000)
    two = np.sort(items[topics == 2], axis=1)[:, -2:]      # the ratio of two uniforms: E[smaller / larger] = 1/2
    assert abs((two[:, 0] / two[:, 1]).mean() - .5) < 4 * np.sqrt(1 / 12 / len(two))


def test_who_the_users_are():
    """3 to 5 topics of 10, Binomial(10, .4) given that; the same users under every seed and in every view."""
    env = Sardine(20_000, observe="history", history=1)
    env.reset(seed=1)
    u = env.state.interest.copy()
    np.testing.assert_allclose((u**2).sum(axis=1), 1.0)
    p = np.array([120, 210, 252]) * .4 ** np.array([3, 4, 5]) * .6 ** np.array([7, 6, 5])
    count = np.bincount((u > 0).sum(axis=1), minlength=6)
    assert count[:3].sum() == 0 and len(count) == 6
    assert np.abs(count[3:] / 20_000 - p / p.sum()).max() < 4 * .5 / np.sqrt(20_000)
    env.reset(seed=2)
    np.testing.assert_array_equal(u, env.state.interest)


def test_an_own_catalogue_is_checked(tmp_path):
    path = str(tmp_path / "items.npy")
    def save(array):
        np.save(path, array)
        return Sardine(2, embeddings=path, slate=2)
    env = save(2 * np.eye(4)[:, :3] + 1)
    assert env.single_action_space.nvec.tolist() == [4, 4]
    np.testing.assert_array_equal(env.items, [[3, 1, 1, 1, 0, 0], [1, 3, 1, 0, 1, 0],
                                              [1, 1, 3, 0, 0, 1], [1, 1, 1, 1, 0, 0]])
    assert env.rules.longest == np.sqrt(11)
    for wrong in (np.ones(3), np.ones((3, 2)), -np.eye(3), np.eye(4)[:, :3], np.nan * np.eye(3), np.full((3, 3), "a")):
        with pytest.raises(ValueError, match="embeddings"):
            save(wrong)
    with pytest.raises(FileNotFoundError):
        Sardine(2, embeddings=path + ".none")


# clicks ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["top_down", "mixed"])
def test_places_are_looked_at_by_the_position_model(model):
    """Everything relevant: P(click j) = α π_j in closed form."""
    env = Sardine(30_000, click_model=model, slope=0.0, attraction=.8, boredom_threshold=11, slate=4, examination=.6)
    env.reset(seed=3)
    _, reward, _, _, info = env.step(np.tile([5, 6, 7, 5], (30_000, 1)))         # a repeated item is judged twice
    down = .6 ** np.arange(4)
    p = .4 * (down if model == "top_down" else (down + down[::-1]) / 2)        # σ(0) = 1/2
    np.testing.assert_allclose(info["expected_reward"], p.sum(), rtol=1e-12)
    rate = info["response"].mean(axis=0)
    assert (np.abs(rate - p) < 4.5 * np.sqrt(p * (1 - p) / 30_000)).all()
    np.testing.assert_array_equal(info["response"].sum(axis=1), reward)


def test_relevance_is_the_sigmoid_of_the_match_and_dull_slates_are_punished():
    params = {"slope": 7.0, "offset": .4, "slate": 5, "diversity_threshold": 3, "diversity_penalty": 2.5}
    env = Sardine(50, **params)
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    topic0, others = np.flatnonzero(env.topic == 0), np.flatnonzero(env.topic != 0)
    for dull in (False, True):
        slate = np.stack([np.concatenate([rng.choice(topic0, 2 + dull), rng.choice(others[env.topic[others] == 1], 1),
                                          rng.choice(others[env.topic[others] > 1], 2 - dull)]) for _ in range(50)])
        felt = env._observe()[:, :10]
        match = np.einsum("njk,nk->nj", env.embeddings[slate], felt)
        by_hand = (1 / (1 + np.exp(-7.0 * (match - .4))) * .85 ** np.arange(5)).sum(axis=1) / (2.5 if dull else 1.0)
        np.testing.assert_allclose(env.step(slate)[4]["expected_reward"], by_hand, rtol=1e-5)      # felt is float32
    step = Sardine(50, relevant_above=.5, slate=5)
    step.reset(seed=3)
    match = np.einsum("njk,nk->nj", env.embeddings[slate], step._observe()[:, :10].astype(float))
    np.testing.assert_allclose(step.step(slate)[4]["expected_reward"], ((match > .5) * .85 ** np.arange(5)).sum(axis=1))


# boredom --------------------------------------------------------------------------------------------------------------
class Memory:
    """One user's boredom, as a scalar program: the remembered clicks and the steps left of every bored topic."""

    def __init__(self, topics, memory, threshold, steps):
        self.queue, self.left, self.threshold, self.steps = deque(maxlen=memory), [0] * topics, threshold, steps

    def after(self, clicked, t):
        self.queue.extend((topic, t) for topic in clicked)
        while self.queue and self.queue[0][1] < t + 1 - self.steps:
            self.queue.popleft()
        for k in range(len(self.left)):
            self.left[k] = max(0, self.left[k] - 1)
            if self.left[k] == 0 and sum(topic == k for topic, _ in self.queue) >= self.threshold:
                self.left[k] = self.steps

    def ideal(self, interest, absent):
        felt = [0.0 if left or (absent and any(self.left)) else u for u, left in zip(interest, self.left, strict=True)]
        share = [min(1.0, sum(topic == k for topic, _ in self.queue) / self.threshold) for k in range(len(self.left))]
        return [*felt, *share, *(left / self.steps if left else 1.0 for left in self.left)]


@pytest.mark.parametrize("params", [
    {}, {"boredom": "topic", "boredom_threshold": 3}, {"memory": 4, "boredom_threshold": 2},
    {"slate": 3, "boredom_steps": 2, "boredom_threshold": 2, "boredom": "topic"}])
def test_boredom_is_that_of_the_scalar_program(params):
    env = Sardine(40, autoreset="same_step", slope=3.0, offset=.2, **params)
    p = env.params
    obs, _ = env.reset(seed=5)
    def fresh():
        return [Memory(10, p.memory, p.boredom_threshold, p.boredom_steps) for _ in range(40)]
    def remember(t, clicks, slate):
        for n, user in enumerate(users):
            user.after(env.topic[slate[n][clicks[n] == 1]], t)
    users, rng, bored = fresh(), np.random.default_rng(1), 0
    first, _ = Sardine(40, slope=3.0, offset=.2, observe="published", **params).reset(seed=5)
    remember(-1, first["clicks"], first["slate"])
    for t in range(100):
        expected = [user.ideal(u, p.boredom == "absent") for user, u in zip(users, env.state.interest, strict=True)]
        np.testing.assert_allclose(obs, expected, atol=1e-6)
        slate = rng.integers(1000, size=(40, p.slate))
        was = [any(user.left) for user in users]
        obs, _, _, _, info = env.step(slate)
        np.testing.assert_array_equal(info["bored"], was)
        bored += sum(was)
        remember(t, info["response"], slate)
    assert 100 < bored < 3900


def test_a_topic_bores_for_exactly_five_steps():
    env = Sardine(500, slate=1, boredom_threshold=5)
    env.reset(seed=1)
    bored = np.array([env.step(env.oracle())[4]["bored"] for _ in range(60)])             # [60, N]
    for n in range(500):
        change = np.flatnonzero(np.diff(np.r_[0, bored[:, n], 0]))
        runs = change[1::2] - change[::2]
        assert (runs[:-1] == 5).all() and (change[2::2] - change[1:-1:2] == 5).all()      # five clicks, five steps away


def test_bored_relevance():
    env = Sardine(200, slope=0.0, bored_relevance=.5, boredom_threshold=2, slate=1)
    env.reset(seed=1)
    for _ in range(20):
        many = (env.state.bored > 0).sum(axis=1)
        np.testing.assert_allclose(env.step(np.zeros(200, int))[4]["expected_reward"], .5 * .5**many)
    assert many.max() > 0


# influence ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("compat", [False, True])
def test_interest_moves_towards_what_was_clicked(compat):
    env = Sardine(50, interest_kept=.9, boredom_threshold=11, slope=2.0, compat=compat)
    env.reset(seed=2)
    rng = np.random.default_rng(2)
    for _ in range(30):
        before, slate = env.state.interest.copy(), rng.integers(1000, size=(50, 10))
        clicks = env.step(slate)[4]["response"]
        for n in range(50):
            clicked = env.embeddings[slate[n][clicks[n] == 1]]
            u = before[n]
            if len(clicked):
                u = .9 * u + .1 * (np.mean(clicked) if compat else clicked.mean(axis=0))   # the fault: no axis
                u = u / np.linalg.norm(u)
            np.testing.assert_allclose(env.state.interest[n], u, atol=1e-12)


# views ----------------------------------------------------------------------------------------------------------------
def test_a_direction_shows_the_items_that_match_it_best():
    env, ids = Sardine(30, action="topk"), Sardine(30)
    env.reset(seed=4)
    ids.reset(seed=4)
    np.testing.assert_array_equal(env.best_match(env.oracle()), ids.best_match(ids._observe()[:, :10]))
    for _ in range(10):
        direction = np.random.default_rng(1).uniform(-1, 1, (30, 10)).astype(np.float32)
        slate = np.argsort(-(direction.astype(float) @ env.embeddings.T), axis=1, kind="stable")[:, :10]
        one, two = env.step(direction), ids.step(slate)
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    with pytest.raises(ValueError, match="finite"):
        env.step(np.full((30, 10), np.nan, np.float32))
    with pytest.raises(ValueError, match="rotation"):
        Sardine(1, action="topk", oracle="rotation")


def test_the_other_views_show_what_happened():
    env = Sardine(30, observe="published", slope=3.0, offset=.2)
    past = Sardine(30, observe="history", history=3, slope=3.0, offset=.2)
    ideal = Sardine(30, slope=3.0, offset=.2)
    for e in (env, past, ideal):
        e.reset(seed=4)
    rng, rows = np.random.default_rng(3), []
    for _ in range(12):
        slate = rng.integers(1000, size=(30, 10))
        obs, _, _, _, info = env.step(slate)
        full, seen = ideal.step(slate)[0], past.step(slate)[0]
        np.testing.assert_array_equal(obs["slate"], slate)
        np.testing.assert_array_equal(obs["clicks"], info["response"])
        np.testing.assert_array_equal(obs["histogram"], full[:, 10:20])
        shown = (env.topic[slate][..., None] == np.arange(10)).mean(axis=1)                # [N, T]
        clicked = ((env.topic[slate][..., None] == np.arange(10)) * info["response"][..., None]).mean(axis=1)
        rows.insert(0, np.concatenate([shown, clicked], axis=1))
        np.testing.assert_allclose(seen[:, :len(rows)], np.stack(rows[:3], axis=1), atol=1e-6)


@pytest.mark.parametrize("view", [{"observe": "history"}, {"observe": "published", "interest_kept": .9}, {}])
def test_lives_and_states(view):
    make = lambda n, **more: Sardine(n, autoreset="same_step", horizon=15, **view, **more)      # noqa: E731
    whole = record(make(6), 60)
    assert agree(whole, record(make(2, slot0=0, stride=6), 60) | record(make(4, slot0=2, stride=6), 60)) == 360
    resumes(make(5))


def test_the_released_code_calls_its_time_limit_a_termination():
    for compat in (False, True):
        env = Sardine(4, horizon=3, compat=compat, autoreset="disabled")
        env.reset(seed=0)
        for t in range(3):
            _, _, terminated, truncated, _ = env.step(np.zeros((4, 10), int))
            assert terminated.tolist() == [compat and t == 2] * 4
            assert truncated.tolist() == [not compat and t == 2] * 4
