"""PPO: its loss against numbers done by hand, and what it does where the best policy is known."""
import numpy as np
import pytest
import torch
from gymnasium import spaces

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.deep import ppo
from custom_algos.rollout import make_rng


def build(actions=2, **params):
    seen = spaces.Box(-1, 1, (1,))
    config = make_config(ppo.PPO, {"hidden": (4,), "epochs": 1} | params)
    return ppo.PPO(seen, spaces.Discrete(actions), config, 3)


def probabilities(agent) -> np.ndarray:
    with torch.no_grad():
        return torch.softmax(agent.actor(torch.zeros(1, 1)), dim=1).numpy()[0]


def rows_with(agent, ratio, advantage):
    """Rows of action 0 at observation 0 whose ρ and Â are given."""
    now = np.log(probabilities(agent)[0])
    size = len(ratio)
    return {"obs": torch.zeros(size, 1), "action": np.zeros(size, np.int64), "mask": None,
            "log_prob": torch.tensor(now - np.log(np.asarray(ratio, np.float32))),
            "advantage": torch.tensor(advantage, dtype=torch.float32), "target": torch.zeros(size)}


def test_the_clipped_surrogate_by_hand():
    """ρ = 1.5, 1.5, 0.5, 0.5, 1.1 with Â = 1, −1, 1, −1, 0, which has mean 0 and variance 1 as it stands, ε = 0.2.

    min(ρÂ, clip(ρ)Â) = 1.2, −1.5, 0.5, −0.8, 0: the mean is −0.12; four of five ρ lie outside [0.8, 1.2].
    """
    agent = build()
    found = agent.loss(rows_with(agent, [1.5, 1.5, 0.5, 0.5, 1.1], [1.0, -1.0, 1.0, -1.0, 0.0]))
    assert found["policy_loss"].item() == pytest.approx(0.12, abs=1e-5)
    assert found["clipped"].item() == pytest.approx(0.8)


@pytest.mark.parametrize(("ratio", "advantage", "moves"), [
    (1.5, 1.0, False), (1.5, -1.0, True), (0.5, 1.0, True), (0.5, -1.0, False), (1.1, 1.0, True), (0.9, -1.0, True)])
def test_what_has_gone_far_enough_has_no_gradient(ratio, advantage, moves):
    """A single row keeps its Â; only where ρ has left the range in the direction of Â is there nothing to gain."""
    agent = build(value_coef=0.0)
    agent.loss(rows_with(agent, [ratio], [advantage]))["loss"].backward()
    slope = agent.actor[-1].bias.grad.numpy()
    p = probabilities(agent)[0]
    want = -ratio * advantage * np.array([1 - p, -(1 - p)]) if moves else np.zeros(2)     # −ρ Â ∇ log π
    np.testing.assert_allclose(slope, want, atol=1e-6)


def test_the_first_gradient_is_that_of_the_policy_gradient():
    """Before anything has moved ρ = 1: ∇ = −E[Â ∇ log π], V's loss ½ (V − target)², and nothing is clipped."""
    agent = build(3)
    rng = np.random.default_rng(0)
    action = rng.integers(3, size=50)
    log_prob = np.log(probabilities(agent))[action]
    advantage = rng.normal(size=50).astype(np.float32)
    rows = {"obs": torch.zeros(50, 1), "action": action, "mask": None, "log_prob": torch.tensor(log_prob),
            "advantage": torch.tensor(advantage), "target": torch.full((50,), 2.0)}
    found = agent.loss(rows)
    with torch.no_grad():
        value = agent.critic(torch.zeros(1, 1)).item()
    assert found["value_loss"].item() == pytest.approx(0.5 * (value - 2.0) ** 2, rel=1e-5)
    assert found["clipped"].item() == 0.0
    found["policy_loss"].backward()
    scaled = (advantage - advantage.mean()) / (advantage.std(ddof=1) + 1e-8)
    want = -(scaled[:, None] * (np.eye(3)[action] - probabilities(agent))).mean(axis=0)
    np.testing.assert_allclose(agent.actor[-1].bias.grad.numpy(), want, atol=1e-6)


def test_the_rows_of_a_block_by_hand():
    """V = 1 everywhere, γ = 0.5, λ = 1, rewards 1, 2, 4; the last step is cut by the clock and bootstraps."""
    agent = build(gamma=0.5, gae_lambda=1.0)
    with torch.no_grad():
        for weight in agent.critic.parameters():
            weight.zero_()
        agent.critic[-1].bias.fill_(1.0)
    obs, ends = np.zeros((3, 1, 1), np.float32), np.array([[False], [False], [True]])
    batch = Transition(obs, np.zeros((3, 1), np.int64), np.array([[1.0], [2.0], [4.0]], np.float32), obs,
                       np.zeros((3, 1), bool), ends, np.full((3, 1), -0.7, np.float32))
    rows = agent.rows(batch)                                  # returns 4.5, 4.25, 3.125 backwards, less V = 1
    np.testing.assert_allclose(rows["advantage"].numpy(), [2.125, 3.25, 3.5], atol=1e-6)
    np.testing.assert_allclose(rows["target"].numpy(), [3.125, 4.25, 4.5], atol=1e-6)
    gone = agent.rows(batch._replace(terminated=ends, truncated=~ends & False))
    np.testing.assert_allclose(gone["target"].numpy(), [3.0, 4.0, 4.0], atol=1e-6)


def test_every_row_is_learnt_from_once_an_epoch(monkeypatch):
    """7 rows in minibatches of 3, twice: 3 + 3 + 1 rows each time, every row once."""
    agent, seen = build(epochs=2, minibatch_size=3), []
    true = agent.loss
    monkeypatch.setattr(agent, "loss", lambda rows: (seen.append(rows["advantage"].numpy()), true(rows))[1])
    rng = make_rng(1)
    obs = np.zeros((7, 1, 1), np.float32)
    pairs = [agent.act(row, rng) for row in obs]
    action, log_prob = (np.stack(part) for part in zip(*pairs, strict=True))
    reward, ends = np.arange(7, dtype=np.float32)[:, None], np.ones((7, 1), bool)
    agent.learn(Transition(obs, action, reward, obs, ends, ~ends, log_prob))
    assert [len(part) for part in seen] == [3, 3, 1, 3, 3, 1]
    for epoch in (seen[:3], seen[3:]):
        assert len(np.unique(np.concatenate(epoch))) == 7


def test_the_better_of_two_actions_is_found():
    """P(reward) 0.2 and 0.8: after 3,000 rows the policy is nearly certain, and no block has moved it far at once."""
    agent, rng = build(learning_rate=3e-3, epochs=4), make_rng(5)
    obs, ends = np.zeros((1, 300, 1), np.float32), np.ones((1, 300), bool)
    before, moves = probabilities(agent)[1], []
    for _ in range(20):
        action, log_prob = agent.act(obs[0], rng)
        reward = (rng.random(300) < np.where(action == 1, 0.8, 0.2)).astype(np.float32)
        agent.learn(Transition(obs, action[None], reward[None], obs, ends, ~ends, log_prob[None]))
        moves.append(probabilities(agent)[1] / before)
        before = probabilities(agent)[1]
    assert before > 0.9
    assert max(moves) < 1.5                                   # ε = 0.2 is no wall, but nothing pays for going on


def test_it_learns_slates_and_controls():
    for actions in (spaces.MultiDiscrete([5, 5]), spaces.Box(-2, 2, (2,))):
        agent = find_algorithm("ppo")(spaces.Box(-1, 1, (1,)), actions, make_config(ppo.PPO, {"epochs": 2}), 1)
        rng, obs, ends = make_rng(2), np.zeros((1, 40, 1), np.float32), np.ones((1, 40), bool)
        for _ in range(60):
            action, log_prob = agent.act(obs[0], rng)
            good = (action == 3).any(axis=1) if action.dtype == np.int64 else -(action[:, 0] - 1.0) ** 2
            agent.learn(Transition(obs, action[None], good.astype(np.float32)[None], obs, ends, ~ends, log_prob[None]))
        action, _ = agent.act(obs[0], rng, False)
        assert (action == 3).any() if action.dtype == np.int64 else abs(action[0, 0] - 1.0) < 0.25


def test_a_log_is_refused():
    agent = build()
    obs, ends = np.zeros((1, 2, 1), np.float32), np.ones((1, 2), bool)
    with pytest.raises(ValueError, match="ppo learns from what its own policy did"):
        agent.learn(Transition(obs, np.zeros((1, 2), np.int64), np.zeros((1, 2), np.float32), obs, ends, ~ends,
                               np.full((1, 2), np.nan, np.float32)))
