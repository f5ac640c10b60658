"""Who recommends: algorithms from first principles, without Ray and without our environments.

To add an algorithm, write one file and add one line to `ALGORITHMS`; an algorithm outside the project is named by
its import path ``my_package:MyAlgorithm``.
"""
import difflib
import importlib

ALGORITHMS = {
    "random": "custom_algos.bandits.fixed:Random",
    "mix": "custom_algos.bandits.fixed:Mix",
    "popularity": "custom_algos.bandits.popularity:Popularity",
    "ranking": "custom_algos.bandits.ranking:Ranking",
    "explore_then_commit": "custom_algos.bandits.explore_then_commit:ExploreThenCommit",
    "epsilon_greedy": "custom_algos.bandits.epsilon_greedy:EpsilonGreedy",
    "ucb": "custom_algos.bandits.ucb:UCB",
    "kl_ucb": "custom_algos.bandits.kl_ucb:KLUCB",
    "glr_kl_ucb": "custom_algos.bandits.glr_kl_ucb:GLRKLUCB",
    "thompson": "custom_algos.bandits.thompson:Thompson",
    "gaussian_thompson": "custom_algos.bandits.gaussian:GaussianThompson",
    "gradient_bandit": "custom_algos.bandits.gradient:GradientBandit",
    "exp3": "custom_algos.bandits.exp3:EXP3",
    "lin_ucb": "custom_algos.bandits.lin_ucb:LinUCB",
    "lin_thompson": "custom_algos.bandits.lin_thompson:LinThompson",
    "logistic_thompson": "custom_algos.bandits.logistic_thompson:LogisticThompson",
    "click_model": "custom_algos.bandits.click_models:ClickModel",
    "neural_linear": "custom_algos.bandits.neural_linear:NeuralLinear",
    "neural_ucb": "custom_algos.bandits.neural_ucb:NeuralUCB",
    "q_learning": "custom_algos.tabular.q_learning:QLearning",
    "double_q_learning": "custom_algos.tabular.double_q_learning:DoubleQLearning",
    "sarsa": "custom_algos.tabular.sarsa:Sarsa",
    "expected_sarsa": "custom_algos.tabular.expected_sarsa:ExpectedSarsa",
    "conservative_q_learning": "custom_algos.tabular.conservative_q_learning:ConservativeQLearning",
    "dqn": "custom_algos.deep.dqn:DQN",
    "conservative_dqn": "custom_algos.deep.conservative_dqn:ConservativeDQN",
    "slateq": "custom_algos.deep.slateq:SlateQ",
    "reinforce": "custom_algos.deep.reinforce:Reinforce",
    "a2c": "custom_algos.deep.a2c:A2C",
    "ppo": "custom_algos.deep.ppo:PPO",
    "sac": "custom_algos.deep.sac:SAC",
    "squarecb": "custom_algos.bandits.squarecb:SquareCB",
    "linear_softmax": "custom_algos.bandits.linear_softmax:LinearSoftmax",
    "linear_epsilon_greedy": "custom_algos.bandits.linear_epsilon_greedy:LinearEpsilonGreedy",
}


def find_algorithm(name: str):
    """The class named ``name``: one of `ALGORITHMS` or ``module:Class``; ValueError says what is valid."""
    path = ALGORITHMS.get(name, name)
    module, _, attribute = path.partition(":")
    if not attribute:
        close = difflib.get_close_matches(name, ALGORITHMS, 1)
        raise ValueError(f"unknown algorithm '{name}'; valid are: {', '.join(ALGORITHMS)}, or my_package:MyAlgorithm"
                         + (f"; did you mean '{close[0]}'?" if close else ""))
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import algorithm '{path}': {error}") from error
    from .core import Algorithm
    if not (isinstance(found, type) and issubclass(found, Algorithm)):
        raise ValueError(f"'{path}' is not a subclass of custom_algos.core.Algorithm")
    return found
