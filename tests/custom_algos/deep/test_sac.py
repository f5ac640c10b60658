"""SAC: the squashed law, the target, the temperature and the twin critics against numbers done by hand."""
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy import integrate, stats

from custom_algos.core import Transition, make_config
from custom_algos.deep.sac import SAC
from custom_algos.networks.control import TwinCritic, squashed
from custom_algos.networks.layers import generator_of
from custom_algos.parts.replay import Rows
from custom_algos.rollout import make_rng


def build(controls=1, low=-1.0, high=1.0, **params):
    config = make_config(SAC, {"hidden": (8,), "random_steps": 1} | params)
    return SAC(spaces.Box(-1, 1, (1,)), spaces.Box(low, high, (controls,)), config, 3)


def constant(agent, mean, log_std, values):
    """The actor says (``mean``, ``log_std``) everywhere, critic and target i say ``values[i]``."""
    with torch.no_grad():
        for module in (agent.actor, agent.critic, agent.target):
            for weight in module.parameters():
                weight.zero_()
        agent.actor[-1].bias.copy_(torch.tensor([mean, log_std]))
        for twins in (agent.critic, agent.target):
            twins.biases[-1].copy_(torch.tensor(values).view(2, 1, 1))


def test_the_density_of_a_squashed_normal():
    """log π(a) = log N(atanh a; μ, σ) − log(1 − a²), and it integrates to 1."""
    mean, sd, noise = 0.3, 0.6, np.array([[-1.2], [0.0], [2.5]], np.float32)
    outputs = torch.tensor([[mean, np.log(sd)]], dtype=torch.float32).expand(3, 2)
    action, log_prob = squashed(outputs, noise)
    a = action.double().numpy()[:, 0]
    want = stats.norm(mean, sd).logpdf(np.arctanh(a)) - np.log(1 - a**2)
    np.testing.assert_allclose(a, np.tanh(mean + sd * noise[:, 0]), atol=1e-6)
    np.testing.assert_allclose(log_prob.numpy(), want, atol=1e-4)

    def density(x):
        xi = np.float32((np.arctanh(x) - mean) / sd)
        return float(squashed(outputs[:1], np.array([[xi]]))[1].exp())
    assert integrate.quad(density, -0.999999, 0.999999, limit=200)[0] == pytest.approx(1.0, abs=1e-3)


def test_the_density_keeps_its_digits_at_the_bounds():
    """z = 20: 1 − tanh² z is 0 in single precision, its logarithm is 2 (log 2 − 20) to the last digit."""
    _, log_prob = squashed(torch.tensor([[20.0, 0.0]]), np.zeros((1, 1), np.float32))
    assert log_prob.item() == pytest.approx(-0.5 * np.log(2 * np.pi) - 2 * (np.log(2) - 20), rel=1e-6)


def test_propensities_are_of_the_environments_controls():
    """Bounds −1 and 3: the density of the action is that of the number in (−1, 1) divided by 2 for each control."""
    agent = build(controls=2, low=-1.0, high=3.0)
    agent.env_steps = 5                                       # past the uniform steps
    obs = np.zeros((4000, 1), np.float32)
    action, log_prob = agent.act(obs, make_rng(1))
    outputs = agent.actor(torch.zeros(1, 1)).detach().numpy()[0]
    inside = (action.astype(np.float64) - 1.0) / 2.0
    z = np.arctanh(inside)
    want = (stats.norm(outputs[:2], np.exp(outputs[2:])).logpdf(z) - np.log(1 - inside**2) - np.log(2.0)).sum(axis=1)
    np.testing.assert_allclose(log_prob, want, atol=2e-3)
    sure, none = agent.act(obs[:1], make_rng(1), False)
    np.testing.assert_allclose(sure[0], 1.0 + 2.0 * np.tanh(outputs[:2]), atol=1e-6)
    assert none.tolist() == [0.0]


def test_the_first_steps_are_uniform_with_their_density():
    agent = build(controls=2, low=-1.0, high=3.0, random_steps=100)
    action, log_prob = agent.act(np.zeros((50_000, 1), np.float32), make_rng(1))
    assert (log_prob == np.float32(-2 * np.log(4.0))).all() or np.allclose(log_prob, -2 * np.log(4.0))
    assert stats.kstest((action[:, 0] + 1.0) / 4.0, "uniform").pvalue > 0.01


def test_the_soft_target_by_hand():
    """π = tanh of a normal at (0, 1), a′ from ξ = 0: a′ = 0, log π = −½ log 2π.  Q⁻ = (3, 2), α = 0.5, γ = 0.9.

    y = 1 + 0.9 (2 + 0.25 log 2π) where the session goes on, 1 where the user left.  Both critics say (3, 2).
    """
    agent = build(gamma=0.9, first_alpha=0.5)
    constant(agent, 0.0, 0.0, [3.0, 2.0])
    one = np.ones(2, np.float32)
    rows = Rows(np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32), one, np.zeros((2, 1), np.float32),
                np.array([0.9, 0.0], np.float32))
    y = np.array([1 + 0.9 * (2 + 0.25 * np.log(2 * np.pi)), 1.0])
    want = 0.5 * (((3 - y) ** 2).mean() + ((2 - y) ** 2).mean())
    assert agent.critic_loss(rows, np.zeros((2, 1), np.float32)).item() == pytest.approx(want, rel=1e-5)


def test_the_actor_is_paid_by_the_smaller_critic():
    agent = build(first_alpha=0.5)
    constant(agent, 0.0, 0.0, [3.0, 2.0])
    loss, log_prob = agent.actor_loss(torch.zeros(4, 1), np.zeros((4, 1), np.float32))
    assert loss.item() == pytest.approx(-0.25 * np.log(2 * np.pi) - 2.0, rel=1e-5)
    assert log_prob.tolist() == pytest.approx([-0.5 * np.log(2 * np.pi)] * 4)


def test_the_temperature_goes_where_indecision_is_missing():
    """d L(α) / d log α = −(E log π + H̄), H̄ = −1: a nearly certain policy raises α, an undecided one lowers it."""
    for log_std, rises in ((-4.0, True), (0.0, False)):       # −log π ≈ −2.6, and 0.6
        agent = build(learning_rate=0.01, batch_size=64)
        constant(agent, 0.0, log_std, [0.0, 0.0])
        rng, obs, ends = make_rng(1), np.zeros((1, 64, 1), np.float32), np.ones((1, 64), bool)
        action, log_prob = agent.act(obs[0], rng)
        agent.learn(Transition(obs, action[None], np.zeros((1, 64), np.float32), obs, ends, ~ends, log_prob[None]))
        before = 0.2
        assert (float(agent.log_alpha.detach().exp()) > before) is rises


def test_twins_are_two_networks():
    """One batched product against two done apart with the same weights; and they differ."""
    twins = TwinCritic(3, (4, 5), generator_of(1))
    obs, action = torch.randn(6, 2, generator=generator_of(2)), torch.randn(6, 1, generator=generator_of(3))
    found = twins(obs, action).detach().numpy()
    for i in range(2):
        x = np.concatenate([obs.numpy(), action.numpy()], axis=1)
        for layer, (weight, bias) in enumerate(zip(twins.weights, twins.biases, strict=True)):
            x = (np.maximum(x, 0.0) if layer else x) @ weight[i].detach().numpy() + bias[i].detach().numpy()
        np.testing.assert_allclose(found[i], x[:, 0], atol=1e-6)
    assert not np.allclose(found[0], found[1])


def test_the_targets_follow_by_tau():
    agent = build(tau=0.25, batch_size=4, replay_ratio=4.0)
    old = [part.detach().clone() for part in agent.target.parameters()]
    obs, ends = np.zeros((1, 4, 1), np.float32), np.ones((1, 4), bool)
    action, log_prob = agent.act(obs[0], make_rng(1))
    agent.learn(Transition(obs, action[None], np.ones((1, 4), np.float32), obs, ends, ~ends, log_prob[None]))
    assert agent.updates == 3                                 # four rows, of which the first was a random step
    agent.gradient_step()
    critic = list(agent.critic.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(old, agent.target.parameters(), strict=True))
    before = [part.detach().clone() for part in agent.target.parameters()]
    agent.gradient_step()
    for start, now, aim in zip(before, agent.target.parameters(), critic, strict=True):
        torch.testing.assert_close(now, start + 0.25 * (aim - start))


def test_a_one_step_problem_is_solved():
    """Reward −(a − 0.5)² in one step: the mode goes to 0.5."""
    agent, rng = build(hidden=(32,), learning_rate=3e-3, batch_size=64, replay_ratio=64, random_steps=64), make_rng(4)
    obs, ends = np.zeros((1, 8, 1), np.float32), np.ones((1, 8), bool)
    for _ in range(60):
        action, log_prob = agent.act(obs[0], rng)
        reward = -((action[:, 0] - 0.5) ** 2)
        agent.learn(Transition(obs, action[None], reward[None], obs, ends, ~ends, log_prob[None]))
    assert agent.act(obs[0, :1], rng, False)[0][0, 0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("actions", [spaces.Discrete(3), spaces.Box(-np.inf, np.inf, (1,)), spaces.Box(-1, 1, (1, 2))])
def test_other_actions_are_refused_by_name(actions):
    with pytest.raises(ValueError, match="sac needs controls between bounds"):
        SAC(spaces.Box(-1, 1, (1,)), actions)
