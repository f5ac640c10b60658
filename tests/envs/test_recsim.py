"""RecSim's three user models: published figures, exact optima, scalar references, and what every parameter does."""
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.lives import agree, record, resumes
from support.recsim_reference import BLIND, EVOLUTION, EXPLORATION, HIDDEN, LEVEL, SATISFACTION, error, ratio, sessions

from envs.engine.rng import integer, normal, normal_pair, session_key, uniform
from envs.interest_evolution.env import InterestEvolution
from envs.interest_evolution.user import CHOICE, INTEREST, MOVE, QUALITY, TOPIC
from envs.interest_exploration.env import InterestExploration
from envs.satisfaction.env import LongTermSatisfaction
from envs.satisfaction.planner import Planner
from envs.satisfaction.user import NOISE, START

VIEWS = [
    ("InterestEvolution", {"action": "flat", "observe": "history", "window": 3}),
    ("InterestEvolution", {"action": "ordered", "observe": "counts", "candidates": 4, "slate": 2}),
    ("InterestEvolution", {"quality_seen": True, "reward": "clicks", "resample": False, "observe": "history"}),
    ("InterestEvolution", {"choice": "mnl", "no_click": -np.inf}),
    ("InterestEvolution", {"choice": "exponential_cascade"}),
    ("InterestExploration", {"action": "flat", "observe": "nothing", "horizon": 20}),
    ("InterestExploration", {"observe": "full", "resample": False, "horizon": 20}),
    ("LongTermSatisfaction", {"observe": "history", "window": 3}),
    ("LongTermSatisfaction", {"action": "level", "observe": "time"}),
    ("LongTermSatisfaction", {"action": "level", "observe": "history", "sensitivity_spread": 5.0}),
    ("LongTermSatisfaction", {"action": "control", "slate": 1}),
]
MODELS = {m.__name__: m for m in (InterestEvolution, InterestExploration, LongTermSatisfaction)}


def close(values, published, se=None):
    """The mean of ``values [N]`` and a published mean differ by at most 3 of their combined standard errors.

    ``se`` None: the published one was not given; its 4,000 users had the same spread, and it was rounded.
    """
    theirs = np.std(values) / np.sqrt(4000) if se is None else se
    assert abs(np.mean(values) - published) <= 3 * np.hypot(theirs, error(values)), (np.mean(values), published)


def start(model, users=1, seed=7, autoreset="disabled", **params):
    env = model(users, autoreset=autoreset, **params)
    return env, *env.reset(seed=seed)


# the contract in every view -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "view"), VIEWS)
@pytest.mark.filterwarnings("ignore::UserWarning:gymnasium")
def test_views_pass_gymnasiums_checker_and_batch(name, view):
    check_env(gym.make(f"recloop/{name}-v0", **view).unwrapped, skip_render_check=True)
    batch = gym.make_vec(f"recloop/{name}-v0", num_envs=3, vectorization_mode="vector_entry_point", **view)
    assert batch.observation_space.contains(batch.reset(seed=1)[0])
    for _ in range(30):
        assert batch.observation_space.contains(batch.step(batch.action_space.sample())[0])


@pytest.mark.parametrize(("name", "view"), [v for v in VIEWS if v[1].get("action") != "control"])
def test_a_users_life_depends_on_nothing_but_user_seed_and_actions(name, view):
    make = lambda n, mode="same_step", **more: MODELS[name](n, autoreset=mode, **view, **more)  # noqa: E731
    whole = record(make(6), 40)
    for mode in ("disabled", "next_step"):
        assert agree(whole, record(make(6, mode), 40)) > 200
    parts = record(make(2, slot0=0, stride=6), 40) | record(make(4, slot0=2, stride=6), 40)
    assert agree(whole, parts) == 240
    for mode in ("same_step", "next_step"):
        resumes(make(5, mode), 40)


# published figures ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rule", "value", "se", "quality", "clicks", "steps", "released", "released_se"), [
    ("uniform random", 160.5, .2, -.590, 40.6, 71.0, 160.1, .8),
    ("top-k by user interest", 168.2, .3, -.53, 42.6, 60.1, 166.4, 1.6),
    ("top-k by true quality", 264.7, .6, 1.32, 67.5, 123.2, 268.8, 3.7),
    ("top-k by topic mean", 263.2, .8, 1.30, 67.2, 122.6, None, None)])
def test_interest_evolution_repeats_the_published_table(rule, value, se, quality, clicks, steps, released, released_se):
    s = sessions(InterestEvolution, EVOLUTION[rule], slate=3, candidates=10)
    close(s["reward"], value, se)
    close(s["clicks"], clicks)
    close(s["length"], steps)
    found, spread = ratio(s["quality"], s["clicks"])
    assert abs(found - quality) <= 3 * np.sqrt(2) * spread
    if released:
        close(s["reward"], released, released_se)
    close(s["reward"] - s["expected"], 0.0, 0.0)                              # expected_reward has the same mean


def test_random_play_of_interest_evolution_agrees_with_its_closed_form():
    """E w = 1: P(no click) ≈ 2 / 5; a click costs 4 + 0.6 · 4 a on average and pays 4: 161.0 but for the last video."""
    a = 0.9 / 3.4
    closed = 200 / (.6 * (4 + a * 4 * .6) + .4 * .5) * .6 * 4
    assert closed == pytest.approx(161.0, abs=.05)
    assert sessions(InterestEvolution, EVOLUTION["uniform random"])["reward"].mean() == pytest.approx(closed, rel=.01)


@pytest.mark.parametrize(("rule", "value", "se"), [("uniform random", 23.5, .6), ("top-quality", 45.7, 1.1),
                                                   ("lowest-quality", 14.4, .7)])
def test_interest_exploration_repeats_the_published_clicks(rule, value, se):
    s = sessions(InterestExploration, EXPLORATION[rule], users=2000, slate=2, candidates=20)
    close(s["reward"], value, se)
    assert (s["length"] == 100).all()


@pytest.mark.parametrize(("eta", "values", "se"), [(.01, (948, 1137, 771), (3, 3, 2)), (.10, (952, 832, 999), None),
                                                   (.30, (985, 447, 1705), None)])
def test_long_term_satisfaction_repeats_the_published_table(eta, values, se):
    found = [sessions(LongTermSatisfaction, SATISFACTION[rule], sensitivity=eta, candidates=20)["reward"]
             for rule in ("random", "most clickbait", "least clickbait")]
    for reward, value, theirs in zip(found, values, se or [None] * 3, strict=True):
        close(reward, value, theirs)


@pytest.mark.parametrize(("candidates", "places", "tuned", "released"), [(20, 2, 951, 942), (50, 3, 946, 945)])
def test_random_play_of_long_term_satisfaction_agrees_with_its_closed_form(candidates, places, tuned, released):
    closed = 60 * np.exp(.5) * np.exp(2) * 2 * (np.exp(.5) - 1)
    assert closed == pytest.approx(948.4, abs=.05)
    s = sessions(LongTermSatisfaction, lambda env, rng: rng.integers(0, candidates, (env.num_envs, places)),
                 candidates=candidates, slate=places)
    close(s["reward"], closed, 0.0)
    assert s["expected"].mean() == pytest.approx(closed, abs=4 * error(s["expected"]))
    close(s["reward"], released, 14)
    close(s["reward"], tuned, 14)                         # its sample is not known; not larger than the other's error


# the optimum of long-term satisfaction --------------------------------------------------------------------------------
def by_programme(**params):
    """Exact values of (optimum, myopic = always 1, kale = always 0, random level)."""
    env = LongTermSatisfaction(1, action="level", **params)
    planner, eta = Planner(env.rules), env.rules.sensitivity
    rules = [(), ([1.0], [1.0]), ([0.0], [1.0]), (None, np.full(21, 1 / 21))]
    return [planner.start(planner.solve(eta, *rule)) for rule in rules]


@pytest.mark.parametrize(("memory", "eta", "values", "digits"), [
    (.7, .01, (1158.7, 1158.7, 754.3, 949.4), .06), (.7, .1, (1043.6, 818.5, 1000.3, 953.8), .06),
    (.7, .2, (1376.9, 571, 1350, 967), .51), (.9, .05, (1163.7, 732.6, 1109.1, 953.2), .06),
    (.9, .1, (1702, 481, 1632, 965), .61)])
def test_dynamic_programming_gives_the_published_values(memory, eta, values, digits):
    np.testing.assert_allclose(by_programme(memory=memory, sensitivity=eta), values, atol=digits)


def test_simulated_rules_have_the_values_of_the_programme():
    """The mean of expected_reward against the exact value; the noisy reward has the same mean."""
    for rule, exact in zip(("optimum", "myopic", "kale", "random"), by_programme(memory=.9, sensitivity=.05),
                           strict=True):
        s = sessions(LongTermSatisfaction, LEVEL[rule], action="level", memory=.9, sensitivity=.05)
        close(s["expected"], exact, 0.0)
        close(s["reward"], exact, 0.0)


@pytest.mark.parametrize("params", [{"sensitivity": .3}, {"sensitivity": .05, "memory": .9, "candidates": 3}])
def test_the_optimum_among_fresh_candidates_is_the_programmes_too(params):
    planner = Planner(LongTermSatisfaction(1, **params).rules, params.get("candidates", 20))
    s = sessions(LongTermSatisfaction, SATISFACTION["oracle (optimum)"], seed=2, **params)
    exact = planner.start(planner.solve(params["sensitivity"]))
    assert abs(s["expected"].mean() - exact) < 3 * error(s["expected"]) + .0002 * exact   # 100 levels stand for [0, 1]
    for rule in ("random", "most clickbait", "least clickbait"):
        assert s["expected"].mean() > sessions(LongTermSatisfaction, SATISFACTION[rule], seed=2, **params)[
            "expected"].mean()


def test_the_programme_of_one_step_by_hand():
    """The last step: exp(loc + sd² / 2) of pure chocolate; of two uniform candidates the better is 2/3 on average."""
    env = LongTermSatisfaction(1, budget=1, sensitivity=0.0, choc_sd=.5, kale_sd=.5, innovation_sd=0.0)
    planner = Planner(env.rules)
    np.testing.assert_allclose(planner.solve(0.0)[0], np.exp(2.5 + .125), rtol=1e-12)        # satisfaction is ½
    few = Planner(env.rules, 2)
    np.testing.assert_allclose(few.ranked.sum(), 1.0, rtol=1e-12)
    assert few.ranked @ few.levels[::-1] == pytest.approx(2 / 3, abs=1e-4)


def test_hidden_sensitivities_are_two_kinds_and_the_optimum_knows_them():
    kind = {"action": "level", "sensitivity": .05, "memory": .7, "sensitivity_spread": 5.0}
    env, _, _ = start(LongTermSatisfaction, 4000, **kind)
    assert set(np.unique(env.state.sensitivity)) == {.05 / 5, .25}
    assert abs((env.state.sensitivity == .25).mean() - .5) < 4 * .5 / np.sqrt(4000)
    other, _, _ = start(LongTermSatisfaction, 4000, seed=8, **kind)
    np.testing.assert_array_equal(env.state.sensitivity, other.state.sensitivity)      # who the users are
    assert (env.state.npe != other.state.npe).mean() > .99                             # how they feel today
    action = env.oracle()
    assert (action[env.state.sensitivity == .01] == 20).all() and (action[env.state.sensitivity == .25] < 5).all()
    planner = Planner(env.rules)
    exact = np.mean([planner.start(planner.solve(eta)) for eta in (.01, .25)])
    s = sessions(LongTermSatisfaction, LEVEL["optimum"], **kind)
    close(s["expected"], exact, 0.0)
    top, history, schedule = (sessions(LongTermSatisfaction, BLIND[rule], **HIDDEN)["expected"].mean()
                              for rule in ("optimum, kind known", "posterior of the kind", "best schedule"))
    assert top > 1.04 * history and history > 1.09 * schedule     # the kind can be told from the history, not from t


# scalar references ----------------------------------------------------------------------------------------------------
def scalar_evolution(seed, user, slates):
    """One session, ten videos of twenty topics: [(reward, budget, interests, next candidates)]."""
    life, who = np.uint64(session_key(seed, user, 0)), np.uint64(session_key(0, user, 0))
    budget, rows = 200.0, []
    u = [2 * uniform(who, 0, INTEREST, i) - 1 for i in range(20)]
    mean = [*np.linspace(-3, 0, 14), *np.linspace(0, 3, 6)]
    for t, slate in enumerate(slates):
        topics = [integer(life, t, TOPIC, j, 20) for j in range(10)]
        weights = [u[topics[j]] + 1 for j in slate]
        coin, paid = uniform(life, t, CHOICE, 0) * (2 + sum(weights)), 0.0
        taken = next((j for i, j in enumerate(slate) if coin < sum(weights[:i + 1])), None)
        if taken is None:
            budget -= 0.5
        else:
            paid, topic = min(budget, 4.0), topics[taken]
            budget += paid * (.9 / 3.4 * (mean[topic] + .1 * normal(life, t, QUALITY, taken)) - 1)
            up = uniform(life, t, MOVE, 0) < (u[topic] + 1) / 2
            step = .3 * (1 - abs(u[topic])) * (1 - u[topic])
            u[topic] = min(1, max(-1, u[topic] + (step if up else -step)))
        rows.append((paid, budget, list(u), [integer(life, t + 1, TOPIC, j, 20) for j in range(10)]))
    return rows


def test_interest_evolution_is_the_scalar_story():
    env, obs, _ = start(InterestEvolution, 5, seed=31)
    slates = np.random.default_rng(2).integers(0, 10, (25, 5, 3))
    stories, watched = [scalar_evolution(31, user, slates[:, user].tolist()) for user in range(5)], 0
    for t, slate in enumerate(slates):
        obs, reward, terminated, _, info = env.step(slate)
        assert not terminated.any()
        for n, story in enumerate(stories):
            paid, budget, interests, topics = story[t]
            assert (reward[n], info["budget"][n]) == pytest.approx((paid, budget), rel=1e-12)
            np.testing.assert_allclose(obs["user"][n], interests, atol=1e-7)
            assert obs["candidates"][n].argmax(axis=1).tolist() == topics and (obs["candidates"][n].sum(1) == 1).all()
            watched += paid > 0
    assert 50 < watched < 100


def scalar_satisfaction(seed, user, clickbait, eta=.05, memory=.9):
    """[(reward, expected, satisfaction when consuming)] of one session."""
    life, rows = np.uint64(session_key(seed, user, 0)), []
    npe = (uniform(life, 0, START, 0) - .5) / (1 - memory)
    for t, c in enumerate(clickbait):
        s = 1 / (1 + np.exp(-eta * npe))
        first, second = normal_pair(life, t, NOISE, 0)
        rows.append((np.exp((5 * c + 4 * (1 - c)) * s + first),
                     np.exp((5 * c + 4 * (1 - c)) * s + .5), s))
        npe = memory * npe - 2 * (c - .5) + .05 * second
    return rows


@pytest.mark.parametrize("action", ["level", "control", "slate"])
def test_long_term_satisfaction_is_the_scalar_story(action):
    env, obs, _ = start(LongTermSatisfaction, 4, seed=5, action=action, memory=.9, sensitivity=.05)
    rng, clickbait, seen = np.random.default_rng(3), np.zeros((60, 4)), []
    for t in range(60):
        choice = env.single_action_space.shape and rng.integers(0, 20, (4, 2))
        if action == "level":
            choice = rng.integers(0, 21, 4)
            clickbait[t] = choice / 20
        elif action == "control":
            choice = rng.random((4, 1), np.float32)
            clickbait[t] = choice[:, 0]
        else:
            clickbait[t] = obs["candidates"][np.arange(4), choice[:, 0], 0]
        obs, reward, terminated, truncated, info = env.step(choice)
        seen.append((reward, info["expected_reward"], info["satisfaction"]))
        assert not truncated.any() and (terminated == (t == 59)).all()
    for n in range(4):
        np.testing.assert_allclose(np.array(seen)[:, :, n], scalar_satisfaction(5, n, clickbait[:, n]), rtol=1e-6)


# interest evolution: what is shown and seen ---------------------------------------------------------------------------
def by_hand(env, slate):
    """(expected minutes of a full video, P(each position)) of one user, proportional choice."""
    weight = env.state.interest[0][env.state.topic[0][slate]] + 1
    return 4 * weight.sum() / (2 + weight.sum()), weight / (2 + weight.sum())


def test_each_copy_of_a_repeated_item_is_an_item_for_the_choice():
    for slate in ([3, 3, 3], [3, 5, 3], [1, 2, 7]):
        env, _, _ = start(InterestEvolution)
        expected, _ = by_hand(env, np.array(slate))
        info = env.step(np.array([slate]))[4]
        assert info["expected_reward"][0] == pytest.approx(expected, rel=1e-12)
        assert info["quality"][0, 0] == info["quality"][0, 2] or slate[0] != slate[2]


def test_the_response_follows_the_choice_probabilities():
    """5,000 users shown the same positions: clicks a position against their mean probability."""
    env, _, _ = start(InterestEvolution, 5000)
    slate = np.tile([0, 4, 9], (5000, 1))
    weight = np.take_along_axis(env.state.interest, env.state.topic[:, [0, 4, 9]], axis=1) + 1
    share = weight / (2 + weight.sum(axis=1, keepdims=True))
    _, reward, _, _, info = env.step(slate)
    clicks = info["response"]
    assert (clicks.sum(axis=1) <= 1).all() and np.array_equal(clicks.sum(axis=1) * 4, reward)
    spread = np.sqrt((share * (1 - share)).mean(axis=0) / 5000)
    assert (np.abs(clicks.mean(axis=0) - share.mean(axis=0)) < 4 * spread).all()


@pytest.mark.parametrize(("choice", "more"), [("mnl", {"no_click": 1.0}), ("mnl", {"no_click": -np.inf}),
                                              ("exponential_cascade", {}), ("proportional_cascade", {"scaling": .5})])
def test_other_choice_models(choice, more):
    env, _, _ = start(InterestEvolution, choice=choice, **more)
    s = env.state.interest[0][env.state.topic[0][[2, 0, 8]]]
    nothing = {"mnl": np.exp(more.get("no_click", 1.0)) / (np.exp(more.get("no_click", 1.0)) + np.exp(s).sum()),
               "exponential_cascade": np.prod(1 - .65 * .05 * np.exp(s)),
               "proportional_cascade": np.prod(1 - .65 * more.get("scaling", .05) * (s + 1))}[choice]
    assert env.step(np.array([[2, 0, 8]]))[4]["expected_reward"][0] == pytest.approx(4 * (1 - nothing), rel=1e-12)


def test_the_last_video_is_cut_short_and_the_session_ends():
    env, _, _ = start(InterestEvolution, 200, budget=6.0)
    reward = np.zeros(200)
    for _ in range(12):                                   # no click costs half a minute, so twelve steps are the most
        before, alive = env.state.budget.copy(), ~env.done
        _, r, terminated, _, info = env.step(np.tile([0, 1, 2], (200, 1)))
        taken = info["response"].any(axis=1)
        np.testing.assert_allclose(r[taken], np.minimum(before, 4.0)[taken], rtol=1e-6)
        assert not taken[~alive].any() and (info["expected_reward"][~alive] == 0).all()
        np.testing.assert_array_equal(terminated, alive & (info["budget"] <= 0))
        reward += r
    assert env.done.all() and ((r == 0) | (r < 4) | (r == 4)).all()
    assert (reward % 4 != 0).any()                        # somebody's last video was cut short


def test_flat_and_ordered_views_are_the_same_users():
    slate, _, _ = start(InterestEvolution, 50, slate=2, candidates=5)
    flat, _, _ = start(InterestEvolution, 50, slate=2, candidates=5, action="flat")
    ordered, _, _ = start(InterestEvolution, 50, slate=2, candidates=5, action="ordered")
    assert flat.single_action_space.n == 10 and ordered.single_action_space.n == 20
    assert flat.view.table[:5].tolist() == [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2]]
    assert ordered.view.table[4].tolist() == [1, 0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        pick = rng.integers(0, 10, 50)
        rows = flat.view.table[pick]
        np.testing.assert_array_equal(flat.view.actions(rows[:, ::-1]), pick)                 # a set has no order
        found = [env.step(action)[4] for env, action in (
            (flat, pick), (slate, rows), (ordered, ordered.view.actions(rows)))]
        for info in found[1:]:
            np.testing.assert_array_equal(info["response"], found[0]["response"])
    for env in (flat, ordered):
        np.testing.assert_array_equal(env.view.slates(env.oracle()),
                                      np.sort(slate.oracle()) if env is flat else slate.oracle())


def test_what_is_observed_of_the_user_is_what_happened():
    past, obs, _ = start(InterestEvolution, 30, observe="history", window=3, quality_seen=True, resample=False)
    counts, _, _ = start(InterestEvolution, 30, observe="counts", resample=False)
    assert (obs["history"] == 0).all() and obs["history"].shape == (30, 3, 21)
    first, rng = obs["candidates"], np.random.default_rng(0)
    np.testing.assert_allclose(first[:, :, -1], past.qualities(), rtol=1e-6)
    topic, watched, tally = past.state.topic.copy(), [[] for _ in range(30)], np.zeros((30, 40))
    assert abs((past.qualities() - past.world.mean_quality[topic]).std() - .1) < .02
    for _ in range(12):
        slate = rng.permuted(np.tile(np.arange(10), (30, 1)), axis=1)[:, :3]
        alive = ~past.done
        obs, reward, _, _, info = past.step(slate)
        other, _, _, _, _ = counts.step(slate)
        for n in np.flatnonzero(alive):
            for item, hit in zip(slate[n], info["response"][n], strict=True):
                tally[n, topic[n, item] + (0 if hit else 20)] += 1
                if hit:
                    watched[n].append([*np.eye(20)[topic[n, item]], reward[n] / 4])
    np.testing.assert_array_equal(obs["candidates"], first)                                   # the same for the session
    np.testing.assert_allclose(other["user"], tally / (tally + 5), rtol=1e-6)
    for n in range(30):
        last = np.array(watched[n][-3:])
        np.testing.assert_allclose(obs["history"][n, 3 - len(last):], last, rtol=1e-6)
    assert max(map(len, watched)) > 3


def test_clicks_can_be_the_reward_and_users_are_the_worlds():
    env, obs, _ = start(InterestEvolution, 300, reward="clicks")
    other = start(InterestEvolution, 300, seed=8)[1]
    np.testing.assert_array_equal(obs["user"], other["user"])
    assert (obs["candidates"] != other["candidates"]).any()
    assert (start(InterestEvolution, 300, world_seed=1)[1]["user"] != other["user"]).any()
    weight = np.take_along_axis(env.state.interest, env.state.topic[:, :3], axis=1).sum(axis=1) + 3
    _, reward, _, _, info = env.step(np.tile([0, 1, 2], (300, 1)))
    np.testing.assert_array_equal(reward, info["response"].sum(axis=1))
    np.testing.assert_allclose(info["expected_reward"], weight / (2 + weight), rtol=1e-12)
    assert abs(obs["user"].mean()) < 4 / np.sqrt(3 * 6000) and abs(obs["user"].std() - 1 / np.sqrt(3)) < .01


# interest exploration -------------------------------------------------------------------------------------------------
def test_a_logit_choice_among_what_is_shown():
    env, obs, _ = start(InterestExploration, 4000, observe="full", affinity_sd=0.0)
    kind, group = env.state.kind, obs["candidates"][:, :, :2].argmax(axis=2)
    assert abs((kind == 0).mean() - .3) < 4 * np.sqrt(.21 / 4000)
    assert abs((group == 0).mean() - .2) < 4 * .4 / np.sqrt(8e4)
    np.testing.assert_allclose(obs["user"], np.exp([[.1, .7], [.7, .1]])[kind], rtol=1e-6)
    for g, mean in enumerate((.8, .2)):
        logs = np.log(obs["candidates"][:, :, 2][group == g])
        assert abs(logs.mean() - mean) < 4 * .1 / np.sqrt(len(logs)) and abs(logs.std() - .1) < .003
    slate = np.tile([3, 7], (4000, 1))
    score = np.exp(np.take_along_axis(env.scores(), slate, axis=1)).sum(axis=1)
    _, reward, terminated, _, info = env.step(slate)
    np.testing.assert_allclose(info["expected_reward"], score / (np.exp(5) + score), rtol=1e-6)
    close(reward - info["expected_reward"], 0.0, 0.0)
    assert not terminated.any() and np.array_equal(info["kind"], kind)


def test_the_best_group_depends_on_the_type_only_with_other_qualities():
    """The trap of the published numbers: group 0 is the better one for everybody."""
    def best(**params):
        env, _, _ = start(InterestExploration, 2, affinity_sd=0.0, quality_sd=0.0, type_shares=(.5, .5), **params)
        affinity, quality = np.exp(env.world.affinity_means), np.exp(env.world.quality_means)
        return (affinity + quality).round(2).tolist()
    assert best() == [[3.33, 3.24], [4.24, 2.33]]
    assert best(quality_means=(.5, .2)) == [[2.75, 3.24], [3.66, 2.33]]


def test_nothing_beats_the_oracle_of_interest_exploration():
    top = sessions(InterestExploration, EXPLORATION["oracle (optimum)"], users=300)["expected"]
    for rule in ("uniform random", "top-quality", "lowest-quality"):
        assert (top >= sessions(InterestExploration, EXPLORATION[rule], users=300)["expected"] - 1e-9).all()


# long-term satisfaction -----------------------------------------------------------------------------------------------
def test_what_is_observed_of_satisfaction():
    env, obs, _ = start(LongTermSatisfaction, 3, observe="history", window=2, action="level")
    full, state, _ = start(LongTermSatisfaction, 3, action="level")
    assert obs["history"].shape == (3, 2, 2) and (obs["history"] == 0).all() and (obs["user"] == 1).all()
    rewards = []
    for level in (20, 0, 10):
        obs, reward, *_ = env.step(np.full(3, level))
        state, _, _, _, info = full.step(np.full(3, level))
        rewards.append(reward)
    np.testing.assert_allclose(obs["history"][:, :, 0], [[0, .5]] * 3)
    np.testing.assert_allclose(obs["history"][:, :, 1], np.log(rewards[1:]).T, rtol=1e-5)
    np.testing.assert_allclose(obs["user"], 57 / 60, rtol=1e-6)
    np.testing.assert_allclose(state[:, 0], 1 / (1 + np.exp(-.01 * state[:, 1] / .3)), rtol=1e-6)
    np.testing.assert_allclose(state[:, 1] / .3, full.state.npe, rtol=1e-6)
    assert "response" not in info and (state[:, 2] == obs["user"][:, 0]).all()


def test_controls_are_cut_and_must_be_numbers():
    env, _, _ = start(LongTermSatisfaction, 2, action="control", innovation_sd=0.0)
    twin, _, _ = start(LongTermSatisfaction, 2, action="control", innovation_sd=0.0)
    out, cut = (e.step(np.array([[a], [b]], np.float32))[4] for e, a, b in ((env, 3, -2), (twin, 1, 0)))
    np.testing.assert_array_equal(out["expected_reward"], cut["expected_reward"])
    with pytest.raises(ValueError, match="nan"):
        env.step(np.array([[np.nan], [0]], np.float32))
    assert (env.oracle() == twin.oracle()).all() and env.oracle().dtype == np.float32


# bad parameters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("model", "params", "message"), [
    (InterestEvolution, {"slate": 11}, "'slate' = 11 must lie in"),
    (InterestEvolution, {"action": "flat", "candidates": 100, "slate": 10}, "'action' = 'flat' has"),
    (InterestEvolution, {"no_click": -1.5}, "'no_click' = -1.5 must be at least -1"),
    (InterestEvolution, {"choice": "exponential_cascade", "scaling": .6}, "'scaling' = 0.6 .* at most 0.566"),
    (InterestExploration, {"type_shares": (.3, .6)}, "'type_shares'"),
    (InterestExploration, {"group_shares": (1.2, -.2)}, "'group_shares'"),
    (InterestExploration, {"affinity_means": ((.1, .7), (.7,))}, "'affinity_means'"),
    (InterestExploration, {"quality_means": (.8,)}, "'quality_means'")])
def test_combinations_that_make_no_sense_are_refused(model, params, message):
    with pytest.raises(ValueError, match=message):
        model(1, **params)
