"""From hyper-parameter to update a reader opens at most four files and 400 lines, for every algorithm."""
import ast
import importlib.util
from pathlib import Path

import pytest

from custom_algos import ALGORITHMS

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("reading_path", ROOT / "benchmarks" / "reading_path.py")
reading_path = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading_path)
PATHS = reading_path.paths()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_is_short_to_read(name):
    path = PATHS[name]
    assert path.lines <= 400 and len(path.files) <= 4, path


def test_parts_are_left_out_because_each_is_tested():
    """Every file of parts/ is named by a test of the algorithms."""
    tested = {node.module for path in (ROOT / "tests" / "custom_algos").rglob("*.py")
              for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    parts = {f"custom_algos.parts.{path.stem}" for path in (ROOT / "custom_algos" / "parts").glob("[!_]*.py")}
    assert parts - tested == set()


def test_calls_are_followed_by_hand(tmp_path):
    """act: own method, super, a function behind an import, an attribute's method and forward; not what nobody calls."""
    (tmp_path / "custom_algos" / "deep").mkdir(parents=True)
    files = {
        "custom_algos/__init__.py": 'ALGORITHMS = {"one": "custom_algos.deep.one:One"}',
        "custom_algos/core.py": "class Algorithm:\n    def learn(self):\n        pass",
        "custom_algos/deep/nets.py": "class Net:\n    def forward(self):\n        return deep()\n\n"
                                     "    def unused(self):\n        pass\n\n\ndef deep():\n    pass\n\n\n"
                                     "def make():\n    return Net()",
        "custom_algos/deep/above.py": "from ..core import Algorithm\n\n\nclass Above(Algorithm):\n"
                                      "    def act(self):\n        return self.hook()\n\n    def hook(self):\n"
                                      "        return 1",
        "custom_algos/deep/one.py": "from . import nets\nfrom .above import Above\n\n\nclass One(Above):\n"
                                    "    def __init__(self):\n        self.net = nets.make()\n\n"
                                    "    def act(self):\n        return super().act()\n\n    def hook(self):\n"
                                    "        return self.net()"}
    for place, text in files.items():
        (tmp_path / place).write_text(text + "\n")
    found = reading_path.paths(tmp_path)["one"]
    assert found.files == {"custom_algos.deep.one": 13, "custom_algos.deep.above": 2, "custom_algos.deep.nets": 4}
