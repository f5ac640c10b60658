"""What kernels take whole: NamedTuples that Numba's dispatcher can tell apart."""
import importlib
import inspect
from pathlib import Path

import envs
from envs.engine.params import rules_of


def test_no_two_models_give_kernels_a_namedtuple_that_looks_alike():
    """The dispatcher compares names and fields: a call with another model's look-alike takes a hundred times longer."""
    folder, seen = Path(envs.__file__).parent, {}
    for file in folder.rglob("*.py"):
        module = importlib.import_module(".".join(["envs", *file.relative_to(folder).with_suffix("").parts]))
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, tuple) and kind is not tuple:
                seen.setdefault((kind.__name__, kind._fields), set()).add(kind)
    assert len(seen) > 10 and not [alike for alike in seen.values() if len(alike) > 1]


def test_rules_are_the_numbers_of_the_parameters():
    from envs.control.pendulum import Params
    assert rules_of(Params, mass=float)._fields == ("horizon", "g", "mass")
