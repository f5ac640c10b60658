"""DQN and its parts against numbers done by hand, against torch's automatic differentiation, and in worlds to learn."""
import numpy as np
import pytest
import torch
from gymnasium import spaces
from support.states import assert_same
from support.toys import Chain, Identity, Toy
from torch import nn
from torch.nn import functional as F

from custom_algos import find_algorithm
from custom_algos.core import Transition, make_config
from custom_algos.networks.q_net import Adam, QNet
from custom_algos.parts.replay import Replay, Rows
from custom_algos.parts.returns import n_step_returns, n_step_rows
from custom_algos.rollout import make_rng, train
from platform.trial import checkpoint

DQN, ConservativeDQN = find_algorithm("dqn"), find_algorithm("conservative_dqn")
EVERYTHING = {"double": True, "dueling": True, "n_step": 2, "rollout_steps": 3, "priority_alpha": 0.6, "tau": 0.5,
              "embedding": "learned", "embedding_size": 3, "conservative_coef": 0.1, "learning_starts": 20,
              "buffer_size": 50, "target_update_every": 3, "batch_size": 8, "anneal_steps": 1000, "hidden": (16,)}


def build(sees, actions, items=None, seed=1, **params):
    sees = spaces.Discrete(sees) if isinstance(sees, int) else sees
    cls = ConservativeDQN if "conservative_coef" in params else DQN
    return cls(sees, spaces.Discrete(actions), make_config(cls, params), seed, items)


def table(q, **params):
    """A DQN without hidden layers whose value of action a in state s is ``q[s][a]``, online and target."""
    q = np.array(q, np.float32)
    algorithm = build(len(q), q.shape[1], hidden=(), **params)
    for net in (algorithm.net, algorithm.target):
        fill(net, q)
    return algorithm


def fill(net, q):
    net.layers[0][0][...], net.layers[0][1][...] = q, 0.0


def rows(state, action, reward, after, discount, **masks):
    return Rows(np.array(state), np.array(action), np.array(reward, np.float32), np.array(after),
                np.array(discount, np.float32), **{k: np.array(v, bool) for k, v in masks.items()})


def numbered(numbers):
    """Rows that carry their number everywhere."""
    n = np.array(numbers)
    return Rows(n, n, n.astype(np.float32), {"a": n, "b": np.stack([n, -n], axis=1)}, n.astype(np.float32))


def block(state, action, reward, after, terminated, truncated=None, log_prob=0.0):
    """A Transition ``[T, N]`` from nested lists."""
    terminated = np.array(terminated, bool)
    return Transition(np.array(state), np.array(action), np.array(reward, np.float32), np.array(after), terminated,
                      np.zeros_like(terminated) if truncated is None else np.array(truncated, bool),
                      np.full(terminated.shape, log_prob, np.float32))


# replay ---------------------------------------------------------------------------------------------------------------
def test_the_ring_by_hand():
    memory = Replay(5)
    memory.add(numbered([0, 1, 2]))
    assert (len(memory), memory.place) == (3, 3)
    memory.add(numbered([3, 4, 5, 6]))                                       # 5 and 6 overwrite 0 and 1
    assert (len(memory), memory.place) == (5, 2)
    assert memory.store.action.tolist() == [5, 6, 2, 3, 4]
    assert memory.store.next_obs["b"].tolist() == [[5, -5], [6, -6], [2, -2], [3, -3], [4, -4]]
    found, where, weight = memory.sample(make_rng(1), 1000)
    assert weight is None and set(found.action.tolist()) == {2, 3, 4, 5, 6}
    assert found.action.tolist() == memory.store.action[where].tolist() == found.next_obs["a"].tolist()
    with pytest.raises(ValueError, match="buffer_size = 5 must hold the 6 rows"):
        memory.add(numbered(range(6)))


def test_only_filled_places_are_drawn_and_all_alike():
    memory, n = Replay(100), 60_000
    memory.add(numbered(range(6)))
    count = np.bincount(memory.sample(make_rng(2), n)[1], minlength=100)
    assert count[6:].sum() == 0
    assert (abs(count[:6] - n / 6) < 5 * np.sqrt(n * 5 / 36)).all()


@pytest.mark.parametrize("size", [7, 8])                                     # a sum tree of any size
def test_priorities_and_importance_weights_by_hand(size):
    """α = ½, errors 0, 1, 4, 9, 16: priorities 0, 1, 2, 3, 4 (to 10⁻³), of 10.  β = ½ and n = 5 give the weights."""
    memory, n = Replay(size, alpha=0.5), 100_000
    memory.add(numbered(range(5)))
    memory.update(np.arange(5), np.array([0.0, -1.0, 4.0, -9.0, 16.0]))
    chance = np.array([1e-3, 1.0, 2.0, 3.0, 4.0])
    chance /= chance.sum()
    found, where, weight = memory.sample(make_rng(3), n, beta=0.5)
    count = np.bincount(where, minlength=size)
    assert count[5:].sum() == 0 and found.action.tolist() == where.tolist()
    assert (abs(count[:5] - n * chance) < 5 * np.sqrt(n * chance)).all()
    expected = (5 * chance) ** -0.5                                          # row 0, drawn too, has the largest
    assert count[0] > 0
    np.testing.assert_allclose(weight, (expected / expected[0])[where], rtol=1e-4)
    memory.add(numbered([5]))                                                # new: as urgent as the most urgent so far
    np.testing.assert_allclose(memory.tree[size:size + 6], [1e-3, 1, 2, 3, 4, 4], rtol=1e-3)
    assert memory.tree[1] == pytest.approx(memory.tree[size:].sum())


def test_an_overwritten_row_loses_its_priority():
    memory = Replay(3, alpha=1.0)
    memory.add(numbered([0, 1, 2]))
    memory.update(np.arange(3), np.array([8.0, 2.0, 1.0]))
    memory.add(numbered([3]))                                                # at place 0, with the highest seen: 8
    memory.update(np.array([0]), np.array([0.5]))
    np.testing.assert_allclose(memory.tree[3:], [0.5, 2.0, 1.0], atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize("filled", [0, 3, 12])
def test_a_restored_memory_is_compact_and_continues_bit_for_bit(alpha, filled, tmp_path):
    memory, twin = Replay(8, alpha), Replay(8, alpha)
    for i in range(filled):
        memory.add(numbered([i]))
        memory.update(np.array([(memory.place - 1) % 8]), np.array([float(i)]))
    checkpoint.save(tmp_path, memory.state_dict())
    state = checkpoint.load(tmp_path)
    assert not filled or len(state["rows"]["action"]) == min(filled, 8)
    twin.load_state_dict(state)
    for ring in (memory, twin):
        ring.add(numbered([100, 101]))
    assert_same(memory.state_dict(), twin.state_dict())
    assert_same(list(memory.sample(make_rng(1), 50, 0.4)), list(twin.sample(make_rng(1), 50, 0.4)))


# n steps --------------------------------------------------------------------------------------------------------------
def test_n_steps_by_hand():
    """γ = ½, three steps.  User 0 goes on; user 1 leaves at step 1; user 2's clock ends at step 1; T = 4."""
    reward = np.array([[1, 1, 1], [2, 2, 2], [4, 4, 4], [8, 8, 8]], np.float32)
    terminated = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    ends = terminated | np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], bool)
    total, discount, last = n_step_rows(reward, terminated, ends, 0.5, 3)
    assert total.tolist() == [[3, 2, 2], [6, 2, 2], [8, 8, 8], [8, 8, 8]]    # 1 + 2/2 + 4/4;  2 + 4/2 + 8/4;  4 + 8/2
    assert discount.tolist() == [[0.125, 0, 0.25], [0.125, 0, 0.5], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]
    assert last.tolist() == [[2, 1, 1], [3, 1, 1], [3, 3, 3], [3, 3, 3]]


def test_n_step_returns_are_the_definition():
    """Against the scalar loop: r + γ r' + … until n are summed, the session ends or the block does."""
    rng, gamma = make_rng(4), 0.9
    terminated, truncated = rng.random((2, 12, 5)) < 0.15
    ends, reward, after = terminated | truncated, rng.normal(size=(12, 5)), rng.normal(size=(12, 5))
    for n in (1, 2, 5, 20):
        found = n_step_returns(reward, terminated, ends, after, gamma, n)
        for t in range(12):
            for user in range(5):
                total, k = reward[t, user], t
                while not ends[k, user] and k + 1 < min(t + n, 12):
                    k += 1
                    total += gamma ** (k - t) * reward[k, user]
                total += gamma ** (k - t + 1) * (not terminated[k, user]) * after[k, user]
                assert found[t, user] == pytest.approx(total)


# networks -------------------------------------------------------------------------------------------------------------
KINDS = [{}, {"dueling": True}, {"width": 3}, {"width": 3, "dueling": True}, {"items": True},
         {"items": True, "dueling": True}]


def torch_values(net, x):
    """The same network in torch: (Q [B, A], its parameters in the order of ``net.vector``)."""
    parts = [nn.Parameter(torch.from_numpy(part.copy())) for layer in net.layers for part in layer]
    for i in range(0, len(parts), 2):
        x = x @ parts[i] + parts[i + 1]
        x = torch.relu(x) if i + 2 < len(parts) else x
    u = x[:, net.dueling:]
    if net.bias is not None:
        parts += [nn.Parameter(torch.from_numpy(part.copy())) for part in (net.items, net.bias)]
        u = u @ parts[-2].T + parts[-1]
    elif net.items is not None:
        u = u @ torch.from_numpy(net.items).T
    return (x[:, :1] + u - u.mean(1, keepdim=True) if net.dueling else u), parts


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("hidden", [(), (8,), (8, 7)], ids=str)
def test_values_and_every_slope_equal_torch(kind, hidden):
    rng = make_rng(1)
    items = rng.normal(size=(5, 2)).astype(np.float32) if "items" in kind else None
    net = QNet(4, 5, hidden, rng, **kind | {"items": items})
    x, dq = rng.normal(size=(2, 9, 5)).astype(np.float32)
    q, parts = torch_values(net, torch.from_numpy(x[:, :4]))
    np.testing.assert_allclose(net.values(x[:, :4]), q.detach(), atol=1e-6)
    np.testing.assert_allclose(net.forward(x[:, :4]), q.detach(), atol=1e-6)
    net.values(x[:3, 1:])                                                    # does not disturb what forward left
    net.backward(dq)
    (q * torch.from_numpy(dq)).sum().backward()
    np.testing.assert_allclose(net.slope, torch.cat([p.grad.reshape(-1) for p in parts]), atol=2e-6)


def test_dueling_splits_off_the_value():
    """With the advantages' mean taken off, mean_a Q(s, a) is the first output alone."""
    net = QNet(3, 4, (6,), make_rng(2), dueling=True)
    x = make_rng(3).normal(size=(10, 3)).astype(np.float32)
    q = net.forward(x)
    np.testing.assert_allclose(q.mean(axis=1), net.trace[-1][:, 0], atol=1e-6)


@pytest.mark.parametrize("clip", [0.5, 1e9])
def test_adam_is_torchs(clip):
    rng = make_rng(6)
    vector = rng.normal(size=40).astype(np.float32)
    theirs, ours = nn.Parameter(torch.from_numpy(vector.copy())), Adam(40)
    optimizer = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(50):
        slope = rng.normal(size=40).astype(np.float32)
        theirs.grad = torch.from_numpy(slope.copy())
        norm = nn.utils.clip_grad_norm_([theirs], clip).item()
        optimizer.step()
        assert ours.step(vector, slope, 0.01, clip) == pytest.approx(norm, rel=1e-5)
    np.testing.assert_allclose(vector, theirs.detach(), atol=1e-5)


def test_an_idle_unit_does_not_fade_into_denormal_numbers():
    adam, vector, slope = Adam(2), np.zeros(2, np.float32), np.ones(2, np.float32)
    for _ in range(1500):                                                    # .9^1500 is far below the smallest float
        adam.step(vector, slope, 1e-3)
        slope[0] = 0.0
    assert adam.mean[0] == 0.0 and adam.square[0] > 1e-5 and adam.mean[1] == pytest.approx(1.0)


# targets and loss -----------------------------------------------------------------------------------------------------
Q = [[1, 5], [2, 4], [8, 3]]                                                 # [S, A]


def test_targets_by_hand():
    """r + γ max Q(s'): 1 + ½·4 | it left: 1 | the clock ended in state 2: 1 + ½·8."""
    algorithm = table(Q, gamma=0.5)
    made = algorithm.rows(block([[0, 0, 0]], [[0, 1, 0]], [[1, 1, 1]], [[1, 2, 2]], [[0, 1, 0]], [[0, 0, 1]]))
    assert made.discount.tolist() == [0.5, 0, 0.5]
    assert algorithm.targets(made).tolist() == [3, 1, 5]


def test_the_target_network_values_and_in_double_only_values():
    """Online prefers action 1 in state 1 (4 > 2), the target network thinks 6 and 3."""
    for double, expected in ((False, 0.5 * 6), (True, 0.5 * 3)):
        algorithm = table(Q, gamma=0.5, double=double)
        fill(algorithm.target, np.array([[0, 0], [6, 3], [0, 0]], np.float32))
        assert algorithm.targets(rows([0], [0], [0], [1], [0.5])).tolist() == [expected]


@pytest.mark.parametrize("double", [False, True])
def test_forbidden_actions_are_not_looked_forward_to(double):
    algorithm = table(Q, gamma=0.5, double=double)
    made = rows([0, 0, 0], [0, 0, 0], [0, 0, 7], [1, 2, 2], [0.5, 0.5, 0],
                next_mask=[[1, 0], [1, 1], [0, 0]])                          # the last one left: nothing is allowed
    assert algorithm.targets(made).tolist() == [1, 4, 7]


def test_n_step_targets_by_hand():
    """Two steps, γ = ½: user 0 1 + ½·2 + ¼·8, then one step 2 + ½·8 (the block ends); user 1 leaves at once, then 2."""
    algorithm = table(Q, gamma=0.5, n_step=2, rollout_steps=2)
    made = algorithm.rows(block([[0, 0], [1, 0]], [[0, 0], [0, 0]], [[1, 1], [2, 2]], [[1, 1], [2, 2]],
                                [[0, 1], [0, 0]]))
    assert made.next_obs.tolist() == [2, 1, 2, 2] and made.obs.tolist() == [0, 0, 1, 0]
    assert algorithm.targets(made).tolist() == [4, 1, 6, 6]


def test_loss_and_slope_by_hand():
    """Errors Q − y: 1 − .75 = ¼, 5 − 2 = 3.  Huber with knee 1: 1/32 and 2.5; weights 1 and ½; B = 2."""
    algorithm = table(Q, huber=1.0)
    made = rows([0, 0], [0, 1], [0.75, 2], [1, 1], [0, 0])
    loss, slope, error = algorithm.loss(made)
    assert error.tolist() == [0.25, 3] and loss == (1 / 32 + 2.5) / 2
    assert slope.tolist() == [[0.125, 0], [0, 0.5]]
    loss, slope, _ = algorithm.loss(made, np.array([1, 0.5], np.float32))
    assert loss == (1 / 32 + 1.25) / 2 and slope.tolist() == [[0.125, 0], [0, 0.25]]
    loss, slope, _ = table(Q).loss(made)                  # the default learns means
    assert loss == (1 / 32 + 4.5) / 2 and slope.tolist() == [[0.125, 0], [0, 1.5]]


@pytest.mark.parametrize("masked", [False, True])
def test_loss_and_gradient_equal_torch(masked):
    """Double, dueling, importance weights and the conservative term at once, on a batch of 12."""
    rng = make_rng(8)
    algorithm = build(spaces.Box(-1, 1, (4,)), 5, double=True, dueling=True, conservative_coef=0.7, huber=0.3,
                      hidden=(8,))
    algorithm.target.vector += 0.1 * rng.normal(size=len(algorithm.net.vector)).astype(np.float32)
    action = rng.integers(5, size=12)
    mask, next_mask = (rng.random((2, 12, 5)) < 0.6) | (np.arange(5) == action[:, None])
    x, after = rng.normal(size=(2, 12, 4)).astype(np.float32)
    made = Rows(x, action, rng.normal(size=12).astype(np.float32), after, np.full(12, 0.9, np.float32),
                *((mask, next_mask) if masked else ()))
    weight = rng.random(12).astype(np.float32)
    loss, slope, _ = algorithm.loss(made, weight)
    algorithm.net.backward(slope)

    q, parts = torch_values(algorithm.net, torch.from_numpy(x))
    chosen = q.gather(1, torch.from_numpy(action[:, None])).squeeze(1)
    with torch.no_grad():
        online, value = (torch_values(net, torch.from_numpy(after))[0] for net in (algorithm.net, algorithm.target))
        online = online.masked_fill(~torch.from_numpy(next_mask), -1e9) if masked else online
        target = torch.from_numpy(made.reward) + 0.9 * value.gather(1, online.argmax(1, keepdim=True)).squeeze(1)
    seen = q.masked_fill(~torch.from_numpy(mask), -1e9) if masked else q
    expected = ((torch.from_numpy(weight) * F.huber_loss(chosen, target, reduction="none", delta=0.3)).mean()
                + 0.7 * (torch.logsumexp(seen, 1) - chosen).mean())
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(algorithm.net.slope, torch.cat([p.grad.reshape(-1) for p in parts]), atol=1e-6)


# the learner ----------------------------------------------------------------------------------------------------------
def noise(algorithm, rng, steps=None, users=5, log_prob=True):
    """A block of a world of noise: states 0 … 3, sessions end with probability .2."""
    acted = []
    for _ in range(steps or algorithm.rollout_steps):
        state = rng.integers(4, size=users)
        acted.append((state, *algorithm.act(state, rng)))
    state, action, known = (np.stack(part) for part in zip(*acted, strict=True))
    ends, after = rng.random(state.shape) < 0.2, rng.integers(4, size=state.shape)
    batch = block(state, action, rng.random(state.shape), after, ends)
    return batch._replace(log_prob=known if log_prob else np.full_like(known, np.nan))


def live(algorithm, seed, blocks):
    rng, out = make_rng(seed), []
    for _ in range(blocks):
        batch = noise(algorithm, rng)
        out += [batch.action, batch.log_prob, algorithm.learn(batch)]
    return out


def test_epsilon_counts_env_steps_and_travels_with_the_policy():
    algorithm, rng = build(4, 3, epsilon=0.9, epsilon_end=0.1, epsilon_steps=100), make_rng(1)
    assert algorithm.epsilon == 0.9
    algorithm.learn(noise(algorithm, rng, steps=5, users=10))                # 50 of 100 steps
    worker = build(4, 3, seed=7, epsilon=0.9, epsilon_end=0.1, epsilon_steps=100)
    worker.load_policy_state(algorithm.policy_state())
    assert worker.epsilon == algorithm.epsilon == pytest.approx(0.5)
    log_prob = worker.act(np.zeros(1000, int), rng)[1]
    np.testing.assert_allclose(np.unique(np.exp(log_prob)), [0.5 / 3, 0.5 / 3 + 0.5], rtol=1e-6)
    assert (worker.act(np.zeros(9, int), rng, explore=False)[1] == 0).all()
    algorithm.learn(noise(algorithm, rng, steps=5, users=20))
    assert algorithm.epsilon == pytest.approx(0.1)


def test_a_log_does_not_count_as_env_steps_and_has_no_sequences():
    algorithm, rng = build(4, 3, learning_starts=1), make_rng(1)
    numbers = algorithm.learn(noise(algorithm, rng, 1, 400, log_prob=False))
    assert algorithm.epsilon == 1.0 and numbers["updates"] == 100            # 400 · 8 / 32
    with pytest.raises(ValueError, match="n_step = 2: a log has no sequences"):
        build(4, 3, n_step=2, rollout_steps=2).learn(noise(algorithm, rng, 1, 40, log_prob=False))


@pytest.mark.parametrize(("ratio", "shape"), [(8.0, (1, 1)), (8.0, (3, 7)), (64.0, (1, 8)), (5.0, (2, 5))])
def test_the_replay_ratio_is_kept_however_the_steps_come(ratio, shape):
    algorithm, rng = build(4, 3, replay_ratio=ratio, batch_size=32, learning_starts=21), make_rng(1)
    trained = 0                                                              # env steps that came with training
    while algorithm.env_steps < 210:
        numbers = algorithm.learn(noise(algorithm, rng, *shape))
        trained += shape[0] * shape[1] * (algorithm.env_steps >= 21)
        assert numbers["updates"] == int(trained * ratio / 32)


def test_target_networks_hard_soft_and_none():
    rng = make_rng(1)
    hard = build(4, 3, learning_starts=1, batch_size=8, target_update_every=3)
    for step in range(1, 7):
        before = hard.target.vector.copy()
        hard.learn(noise(hard, rng, 1, 1))
        assert hard.updates == step
        np.testing.assert_array_equal(hard.target.vector, before if step % 3 else hard.net.vector)
        assert (before != hard.net.vector).any()
    soft = build(4, 3, learning_starts=1, batch_size=8, target_update_every=1, tau=0.25)
    before = soft.target.vector.copy()
    soft.learn(noise(soft, rng, 1, 1))
    np.testing.assert_allclose(soft.target.vector, 0.75 * before + 0.25 * soft.net.vector, atol=1e-7)
    none = build(4, 3, target_update_every=0)
    assert none.target is none.net


def test_without_replay_only_the_latest_block_is_seen():
    """Two pasts, one present: the same step, which is the loss of the present block alone."""
    present = block([[0, 1, 2]], [[1, 1, 1]], [[3, 1, 2]], [[1, 2, 3]], [[0, 1, 0]])
    steps = []
    for past in (0.0, 9.0):
        algorithm = build(4, 3, buffer_size=0, batch_size=1, replay_ratio=1 / 3, target_update_every=0)
        start = algorithm.net.vector.copy()
        algorithm.learn(block([[3, 3, 3]], [[0, 0, 0]], [[past] * 3], [[0, 0, 0]], [[1, 1, 1]]))
        algorithm.net.vector[:], algorithm.optimizer = start, Adam(len(start))
        expected = algorithm.loss(algorithm.rows(present))[0]
        assert algorithm.learn(present)["loss"] == expected and len(algorithm.memory) == 0
        steps.append(algorithm.net.vector.copy())
    np.testing.assert_array_equal(*steps)


def test_the_learning_rate_falls_to_zero():
    algorithm, rng = build(4, 3, learning_starts=1, anneal_steps=40, batch_size=8), make_rng(1)
    moved = []
    for _ in range(10):
        before = algorithm.net.vector.copy()
        algorithm.learn(noise(algorithm, rng, 1, 5))
        moved.append(abs(algorithm.net.vector - before).max())
    assert moved[0] > moved[4] > moved[6] > 0 and moved[7:] == [0, 0, 0]


@pytest.mark.parametrize("params", [{}, EVERYTHING], ids=["paper", "everything"])
def test_a_restored_twin_continues_bit_for_bit_and_seeds_decide(params, tmp_path):
    params = {"learning_starts": 20, "batch_size": 8} | params
    algorithm = build(4, 3, **params)
    live(algorithm, 1, 20)
    checkpoint.save(tmp_path, algorithm.state_dict())
    twin = build(4, 3, seed=1, **params)
    twin.load_state_dict(checkpoint.load(tmp_path))
    ours = live(algorithm, 2, 15)
    assert ours[-1]["updates"] > 20
    assert_same(ours, live(twin, 2, 15))                                     # actions, propensities, losses
    assert_same(algorithm.state_dict(), twin.state_dict())
    again, other = build(4, 3, **params), build(4, 3, seed=2, **params)
    live(again, 1, 20)
    assert_same(ours, live(again, 2, 15))
    live(other, 1, 20)
    assert live(other, 2, 15)[-1]["loss"] != ours[-1]["loss"]


@pytest.mark.parametrize(("params", "words"), [
    ({"embedding": "onehot"}, "'embedding' = 'onehot' must be one of none, learned, features"),
    ({"embedding": "features"}, "embedding = 'features' needs actions"), ({"n_step": 3}, "n_step = 3"),
    ({"learning_starts": 10, "buffer_size": 5}, "learning_starts = 10 must lie in .1, buffer_size = 5")])
def test_what_cannot_be_is_refused(params, words):
    with pytest.raises(ValueError, match=words):
        build(4, 3, **params)
    with pytest.raises(ValueError, match="Discrete action space"):
        DQN(spaces.Discrete(3), spaces.MultiDiscrete([3, 3]))


# worlds to learn ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("params", [{}, {"dueling": True, "double": True}, {"priority_alpha": 0.6},
                                    {"embedding": "learned"}, {"embedding": "features"}], ids=str)
def test_it_repeats_the_digit(params):
    env = Identity(16, 5, 5)
    algorithm = build(5, 5, np.eye(5, dtype=np.float32), learning_starts=100, epsilon_steps=2000, replay_ratio=16,
                      learning_rate=3e-3, **params)
    train(env, algorithm, 6000, seed=1)
    np.testing.assert_array_equal(algorithm.act(np.arange(5), make_rng(0), explore=False)[0], np.arange(5))
    np.testing.assert_allclose(algorithm.net.values(np.eye(5, dtype=np.float32)), np.eye(5), atol=0.15)


@pytest.mark.parametrize("params", [{}, {"double": True, "n_step": 3, "rollout_steps": 4},
                                    {"target_update_every": 1, "tau": 0.02, "priority_alpha": 0.6}], ids=str)
def test_it_learns_a_chain_that_pays_at_its_end_and_its_values(params):
    """A random walk comes through once in 256 sessions.  The optimal value of state s is γ^(7 − s)."""
    env = Chain(16, 8, 2)
    algorithm = build(8, 2, **{"gamma": 0.9, "learning_starts": 500, "epsilon_steps": 16_000, "epsilon_end": 0.1,
                               "target_update_every": 100, "replay_ratio": 16} | params)
    train(env, algorithm, 24_000, seed=1)
    np.testing.assert_array_equal(algorithm.act(np.arange(8), make_rng(0), explore=False)[0], np.arange(8) % 2)
    if params.get("n_step"):                                                 # sums hold what exploring cost: too low
        return
    value = algorithm.net.values(np.eye(8, dtype=np.float32)).max(axis=1)
    np.testing.assert_allclose(value, 0.9 ** (7 - np.arange(8)), atol=0.1)


class Shelf(Toy):
    """Twelve items of three topics; a user wants the topic it names, one of its four items as good as the other."""

    def start(self, n):
        return self.coins.integers(3, size=n)

    def move(self, action):
        return self.state, action % 3 == self.state, np.ones(self.num_envs, bool)


def test_learned_item_embeddings_find_the_topics():
    """The nearest neighbour of every item, by cosine, is an item of its topic."""
    env = Shelf(16, 3, 12)
    algorithm = build(3, 12, embedding="learned", embedding_size=8, learning_starts=100, epsilon_steps=1,
                      epsilon_end=0.5, replay_ratio=16, learning_rate=3e-3)
    train(env, algorithm, 10_000, seed=2)
    e = np.column_stack([algorithm.net.items, algorithm.net.bias])           # [A, F + 1]
    e = e - e.mean(axis=0)
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    nearest = (e @ e.T - 2 * np.eye(12)).argmax(axis=1)
    np.testing.assert_array_equal(nearest % 3, np.arange(12) % 3)
    assert (algorithm.act(np.arange(3), make_rng(0), explore=False)[0] % 3 == np.arange(3)).all()


# where bootstrapping breaks -------------------------------------------------------------------------------------------
def linear_value(features, gamma, **params):
    """One action, no hidden layer: V(s) = w · x(s); the bias is kept at 0 by `descend`."""
    return build(spaces.Box(-20, 20, (features,)), 1, hidden=(), gamma=gamma, huber=float("inf"), **params)


def descend(algorithm, made, step_size, weight=None):
    """w ← w − α ∂loss/∂w, without Adam."""
    _, slope, _ = algorithm.loss(made, weight)
    algorithm.net.backward(slope)
    algorithm.net.layer_slopes[0][1][...] = 0.0
    algorithm.net.vector -= np.float32(step_size) * algorithm.net.slope


def test_one_weight_doubles_away():
    """w → 2w, only the first state is updated: a factor 1 + α (2γ − 1) = 1.098 a step, 11,488 in a hundred."""
    algorithm = linear_value(1, 0.99, target_update_every=0)
    algorithm.net.vector[:] = [1.0, 0.0]
    made = rows(np.ones((1, 1), np.float32), [0], [0], np.full((1, 1), 2, np.float32), [0.99])
    for step in range(100):
        before = algorithm.net.vector[0]
        descend(algorithm, made, 0.1)
        assert algorithm.net.vector[0] / before == pytest.approx(1.098, rel=1e-4), step
    assert algorithm.net.vector[0] == pytest.approx(11_488, rel=1e-3)


def baird(every: int, runs: int = 150) -> dict[int, float]:
    """Baird's counterexample (Sutton & Barto 2018, example 11.1): median over runs of max |w| after so many steps.

    The behaviour visits the seven states uniformly; the target policy always goes to the last one, so a step there
    has the importance ratio 7 and any other 0.  V = 2 w_i + w_8 in states 1 … 6, w_7 + 2 w_8 in state 7; no rewards.
    """
    x = np.zeros((7, 8), np.float32)
    x[:6, :6], x[:6, 7], x[6, 6:] = 2 * np.eye(6), 1, (1, 2)
    algorithm = linear_value(8, 0.99, target_update_every=every)
    largest = {200: [], 500: [], 1000: []}
    for run in range(runs):
        path = make_rng(1, run).integers(7, size=1001)
        for net in (algorithm.net, algorithm.target):
            net.vector[:] = [1, 1, 1, 1, 1, 1, 10, 1, 0]
        for step in range(1, 1001):
            if path[step] == 6:
                descend(algorithm, Rows(x[path[step - 1], None], np.zeros(1, int), np.zeros(1, np.float32), x[6:],
                                        np.full(1, 0.99, np.float32)), 0.01, np.full(1, 7, np.float32))
            if every and step % every == 0:
                algorithm.target.vector[:] = algorithm.net.vector
            if step in largest:
                largest[step].append(abs(algorithm.net.vector).max())
    return {step: float(np.median(found)) for step, found in largest.items()}


def test_bairds_counterexample_diverges_and_a_target_network_tames_it():
    """Without: 10 → 19.6 → 72 → 330.  With a network copied every 100 steps the weights stay below 40."""
    found = baird(0)
    for step, expected in ((200, 19.6), (500, 72), (1000, 330)):
        assert found[step] == pytest.approx(expected, rel=0.12)
    assert max(baird(100).values()) < 40


def test_from_a_log_only_the_conservative_one_beats_who_wrote_it():
    """In every state the log uses two actions of six, half each, and the others, all harmful, once in fifty.

    What the log does not hold looks harmless to a network; c pushes it down.  Values are exact, γ = .9, five worlds.
    """
    found = {"log": [], "plain": [], "conservative": [], "optimum": []}
    for seed in range(5):
        rng, s, a, n = np.random.default_rng(seed), 20, 6, 600
        law, pay = rng.dirichlet(np.full(s, 0.1), size=(s, a)), -rng.random((s, a)) - 1.0
        writer = np.full((s, a), 0.02 / a)
        for state in range(s):
            used = rng.permutation(a)[:2]
            writer[state, used] += 0.49
            pay[state, used] += 1.0

        def value(policy, law=law, pay=pay):
            onward = np.einsum("sa,sat->st", policy, law)
            return np.linalg.solve(np.eye(len(law)) - 0.9 * onward, (policy * pay).sum(axis=1)).mean()

        state = rng.integers(s, size=n)
        action = np.array([rng.choice(a, p=writer[i]) for i in state])
        after = np.array([rng.choice(s, p=law[i, j]) for i, j in zip(state, action, strict=True)])
        log = block(state[None], action[None], pay[state, action][None], after[None], np.zeros((1, n)), log_prob=np.nan)
        found["log"].append(value(writer))
        for name, coef in (("plain", 0.0), ("conservative", 0.1)):
            algorithm = build(s, a, seed=seed, gamma=0.9, conservative_coef=coef, learning_starts=1, replay_ratio=160,
                              target_update_every=100, hidden=(64,), huber=100.0)
            algorithm.learn(log)
            greedy = algorithm.act(np.arange(s), rng, explore=False)[0]
            found[name].append(value(np.eye(a)[greedy]))
        best = np.zeros(s)
        for _ in range(300):
            best = (pay + 0.9 * law @ best).max(axis=1)
        found["optimum"].append(best.mean())
    log, plain, conservative, optimum = (np.array(found[k]) for k in ("log", "plain", "conservative", "optimum"))
    assert (conservative > log + 0.8 * (optimum - log)).all(), found         # most of what there is to gain
    assert (plain < log).all(), found
