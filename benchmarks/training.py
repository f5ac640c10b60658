"""Speed of simulators with random actions, and of whole training runs beside Stable-Baselines3 and RLlib.

Called by ``benchmarks/bench.py``.  A training figure is env steps a second end to end, acting, stepping and learning,
after the compilation of the kernels; the rows trained on for every env step are printed, and are the same on all sides.
"""
import time

import gymnasium as gym
import numpy as np

from custom_algos import find_algorithm
from custom_algos.core import make_config
from custom_algos.rollout import begin, collect, make_rng
from platform.trial.build import make_env

SIMULATORS = (                                            # id, parameters, goal in user-steps/s
    ("recloop/CartPole-v1", {}, 40e6), ("recloop/Pendulum-v1", {}, 15e6),
    ("recloop/InterestEvolution-v0", {"slate": 2, "candidates": 10}, 2.5e6),
    ("recloop/LongTermSatisfaction-v0", {}, 8e6), ("recloop/Sardine-SlateTopK-Bored-v0", {}, 3e6),
    ("recloop/GridHard-v0", {}, None), ("recloop/SmallSlate-v0", {}, None), ("recloop/Sessions-v0", {}, None),
    ("recloop/Ladder-v0", {}, None), ("recloop/Retention-v0", {}, None))


def simulator_rows(rate, shown, rounds: int, users: int = 1024) -> list[tuple]:
    """(id, user-steps a second, goal) with random actions, SAME_STEP autoreset, observation included."""
    import envs

    rows = []
    for env_id, params, goal in SIMULATORS:
        if env_id not in envs.MODELS:
            continue
        env = make_env(env_id, params, users)
        env.action_space.seed(0)
        actions = [env.action_space.sample() for _ in range(50)]
        env.reset(seed=0)

        def fifty(env=env, actions=actions):
            for action in actions:
                env.step(action)
        rows.append((env_id, shown(rate(fifty, 50 * users, rounds)), f"{goal:,.0f}" if goal else ""))
    return rows


def ours(name: str, params: dict, users: int, steps: int, env_id: str = "recloop/CartPole-v1") -> float:
    """Env steps a second of one of our algorithms in process, over ``steps`` steps after a short warm-up."""
    env, found = make_env(env_id, {}, users), find_algorithm(name)
    algorithm = found(env.single_observation_space, env.single_action_space, make_config(found, params), 0)
    seen, done, rng, start = begin(env, 0), 0, make_rng(0), time.perf_counter()
    warm = steps // 10
    while done < warm + steps:
        if done < warm:
            start, first = time.perf_counter(), done
        batch, seen, _ = collect(env, algorithm, seen, algorithm.rollout_steps, rng)
        algorithm.learn(batch)
        done += batch.reward.size
    return (done - first) / (time.perf_counter() - start)


ZOO = {"learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000, "learning_starts": 1000, "gamma": 0.99}


def sb3_dqn(steps: int) -> float:
    """Stable-Baselines3's DQN at the zoo's CartPole settings: 128 gradient steps of 64 rows every 256 steps."""
    from stable_baselines3 import DQN

    model = DQN("MlpPolicy", gym.make("CartPole-v1"), target_update_interval=10, train_freq=256, gradient_steps=128,
                exploration_fraction=0.16, exploration_final_eps=0.04, policy_kwargs={"net_arch": [256, 256]}, seed=0,
                device="cpu", **ZOO)
    model.learn(2000)
    start = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return steps / (time.perf_counter() - start)


def rllib_dqn(seconds: float, ratio: int = 64) -> tuple[float, float]:
    """RLlib's DQN, one environment, 64-64, one update of 64 rows a step: (env steps/s, rows trained on a step)."""
    import logging

    from ray.rllib.algorithms.dqn import DQNConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    logging.getLogger("ray").setLevel(logging.ERROR)
    config = (DQNConfig().environment("CartPole-v1").debugging(seed=0, log_level="ERROR")
              .env_runners(num_env_runners=0, num_envs_per_env_runner=1).learners(num_learners=0)
              .training(train_batch_size_per_learner=64, training_intensity=ratio, lr=1e-3,
                        num_steps_sampled_before_learning_starts=1000)
              .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], fcnet_activation="tanh"))
              .reporting(min_sample_timesteps_per_iteration=200))
    algorithm = config.build_algo()
    sampled, trained, clock = [], [], []
    try:
        while not clock or clock[-1] - clock[0] < seconds or len(clock) < 3:
            result = algorithm.train()
            learnt = result.get("learners", {}).get("__all_modules__", {})
            if learnt.get("num_module_steps_trained_lifetime", learnt.get("num_env_steps_trained_lifetime")):
                sampled.append(result["num_env_steps_sampled_lifetime"])
                trained.append(learnt.get("num_module_steps_trained_lifetime")
                               or learnt["num_env_steps_trained_lifetime"])
                clock.append(time.perf_counter())
    finally:
        algorithm.stop()
    steps = sampled[-1] - sampled[0]
    return steps / (clock[-1] - clock[0]), float(np.sum(trained[-1] - trained[0]) / steps)


def rllib_sac(seconds: float) -> float:
    """Env steps a second of RLlib's SAC on the pendulum: 64-64, one environment, one update of 256 rows a step."""
    import logging

    from ray.rllib.algorithms.sac import SACConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    logging.getLogger("ray").setLevel(logging.ERROR)
    config = (SACConfig().environment("Pendulum-v1").debugging(seed=0, log_level="ERROR")
              .env_runners(num_env_runners=0, num_envs_per_env_runner=1).learners(num_learners=0)
              .training(train_batch_size_per_learner=256, training_intensity=256,
                        num_steps_sampled_before_learning_starts=256)
              .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], head_fcnet_hiddens=[]))
              .reporting(min_sample_timesteps_per_iteration=100))
    algorithm, sampled, clock = config.build_algo(), [], []
    try:
        while not clock or clock[-1] - clock[0] < seconds or len(clock) < 3:
            result = algorithm.train()
            if result["num_env_steps_sampled_lifetime"] > 400:
                sampled.append(result["num_env_steps_sampled_lifetime"])
                clock.append(time.perf_counter())
    finally:
        algorithm.stop()
    return (sampled[-1] - sampled[0]) / (clock[-1] - clock[0])


def dqn_rows(steps: int = 10_000, seconds: float = 20.0) -> list[tuple]:
    """(who, setting, rows trained on a step, env steps/s, ratio to ours)."""
    zoo = ZOO | {"replay_ratio": 32, "rollout_steps": 256, "hidden": (256, 256), "target_update_every": 10,
                 "epsilon_end": 0.04}
    every = {"hidden": (64, 64), "batch_size": 64, "replay_ratio": 64, "learning_starts": 1000}
    settings = "256-256, 128 updates of 64 every 256 steps, 1 env"
    mine = ours("dqn", zoo, 1, steps)
    rows = [("recloop", settings, "32", f"{mine:,.0f}", "1")]
    try:
        peer = sb3_dqn(steps)
        rows.append(("Stable-Baselines3", settings, "32", f"{peer:,.0f}", f"ours is {mine / peer:.1f} times as fast"))
    except ImportError as error:
        rows.append(("Stable-Baselines3", f"skipped ({error})", "", "", ""))
    settings = "64-64, an update of 64 a step, 1 env"
    mine = ours("dqn", every, 1, steps)
    rows.append(("recloop", settings, "64", f"{mine:,.0f}", "1"))
    many = ours("dqn", every, 8, steps)
    rows.append(("recloop", settings.replace("1 env", "8 envs"), "64", f"{many:,.0f}", f"{many / mine:.1f}"))
    peer, trained = rllib_dqn(seconds)
    rows.append(("RLlib", settings, f"{trained:.0f}", f"{peer:,.0f}", f"ours is {mine / peer:.1f} times as fast"))
    return rows


def a2c_rows(rounds: int) -> list[tuple]:
    """(what, figure, goal) of A2C on CartPole, in process, with one configuration: that of `balance.py`."""
    import os
    import subprocess
    import sys
    from pathlib import Path

    from balance import BUDGET, USERS, settings

    speed = [ours("a2c", settings(), USERS, BUDGET) for _ in range(rounds)]
    wall, script = [], str(Path(__file__).with_name("balance.py"))
    for seed in range(rounds):
        done = subprocess.run([sys.executable, "-W", "ignore", script, str(seed), str(time.time())], check=True,
                              capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        wall.append(float(done.stdout.split()[0]))
    return [("env steps/s, acting, stepping and learning", f"{np.median(speed):,.0f} ({min(speed):,.0f} … "
             f"{max(speed):,.0f})", "300,000"),
            ("seconds from process start to mean return 475", f"{np.median(wall):.2f} ({min(wall):.2f} … "
             f"{max(wall):.2f})", "8")]
