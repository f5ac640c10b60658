"""The folder ``platform/`` beside the standard module of the same name: the house rules, each with a test."""
import ast
import functools
import json
import os
import subprocess
import sys
import time
import types
import venv
import zipfile
from pathlib import Path

import pytest

import platform

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "platform"
HOOK = ("_platform_startup.py", "platform_startup.pth", "platform_startup.start")
# attributes of the standard module in any Python from 3.11 on, in case this one lacks them
OTHER_PYTHONS = {"android_ver", "ios_ver", "AndroidVer", "IOSVersionInfo", "DEV_NULL", "linux_distribution", "dist",
                 "popen",
                 "java_ver", "freedesktop_os_release", "invalidate_caches"}


def python(*arguments, cwd=ROOT, exe=sys.executable, env=None, check=True) -> str:
    """Standard output of a fresh interpreter."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | (env or {})
    done = subprocess.run([str(exe), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def modules() -> set[str]:
    """What ``platform.<name>`` can be: our files and folders."""
    return {path.stem for path in OURS.iterdir()
            if (path.suffix == ".py" or path.is_dir()) and path.name != "__pycache__"}


def test_there_is_no_init_file_and_the_marker_is_there():
    assert not (OURS / "__init__.py").exists()
    assert (OURS / "tune.py").is_file()
    assert not list((ROOT / "tests").rglob("__init__.py"))               # tests/platform must not become a package


def test_no_module_is_named_like_an_attribute_of_the_standard_module():
    fresh = json.loads(python("-c", "import platform, json; print(json.dumps(dir(platform)))"))
    assert "system" in fresh and "tune" not in fresh      # untouched by what this test process imported
    assert not modules() & (set(fresh) | OTHER_PYTHONS)


def test_no_module_is_named_like_a_standard_module():
    assert not modules() & set(sys.stdlib_module_names)   # `python platform/tune.py` puts our folder first on the path
    assert modules() >= {"tune", "trial", "run", "judge", "report", "commands", "experiment"}


SAYS = """
import json, platform
from platform import tune
print(json.dumps([platform.system(), platform.node(), platform.machine(), platform.release(),
                  platform.__file__, tune.__file__]))
"""


@pytest.mark.parametrize("flags", [(), ("-I",), ("-P",), ("-s",), ("-OO",)],
                         ids=lambda flags: "".join(flags) or "plain")
@pytest.mark.parametrize("inside", [True, False], ids=["checkout", "elsewhere"])
def test_the_standard_functions_work_beside_ours(tmp_path, inside, flags):
    system, node, machine, release, standard, ours = json.loads(python(*flags, "-c", SAYS,
                                                                       cwd=ROOT if inside else tmp_path))
    known = os.uname()
    assert (system, node, machine, release) == (known.sysname, known.nodename, known.machine, known.release)
    assert Path(standard) == Path(os.__file__).with_name("platform.py")
    assert Path(ours).name == "tune.py" and Path(ours).parent.name == "platform"


def test_the_standard_module_gains_a_path_and_nothing_else(tmp_path):
    source = Path(os.__file__).with_name("platform.py")
    probe = f"""
import platform, types, importlib.util
spec = importlib.util.spec_from_file_location("pristine", {str(source)!r})
pristine = importlib.util.module_from_spec(spec); spec.loader.exec_module(pristine)
changed = [name for name, value in vars(pristine).items() if isinstance(value, types.FunctionType)
           and getattr(platform, name).__code__ != value.__code__]
print(sorted(set(vars(platform)) ^ set(vars(pristine)) - {{"__cached__"}}), changed)
"""
    assert python("-c", probe, cwd=tmp_path).strip() in ("['__cached__', '__path__'] []", "['__path__'] []")


def test_the_command_of_the_standard_module_still_prints(tmp_path):
    wanted = platform.platform()
    assert python("-m", "platform").strip() == wanted == python("-m", "platform", cwd=tmp_path).strip()


def test_every_function_of_this_process_is_the_standard_one():
    functions = {name: value for name, value in vars(platform).items() if isinstance(value, types.FunctionType)}
    assert len(functions) > 20
    assert all(Path(f.__code__.co_filename).name == "platform.py" for f in functions.values()
               if f.__module__ == "platform" and not isinstance(f, functools.partial))


def test_a_start_does_not_import_the_standard_module(tmp_path):
    assert python("-c", "import sys; print('platform' in sys.modules)", cwd=tmp_path).strip() == "False"


def test_a_checkout_on_the_path_goes_before_the_installed_copy(tmp_path):
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "tune.py").write_text("here = 'other checkout'\n")
    (tmp_path / "late").mkdir()
    assert python("-c", "from platform import tune; print(tune.here)", cwd=tmp_path).strip() == "other checkout"
    assert python("-c", "from platform import tune; print(tune.here)", cwd=tmp_path / "late",
                  env={"PYTHONPATH": str(tmp_path)}).strip() == "other checkout"
    late = f"import platform, sys; sys.path.insert(0, {str(tmp_path)!r}); from platform import tune; print(tune.here)"
    assert python("-c", late, cwd=tmp_path / "late").strip() == "other checkout"     # as a Ray worker's path grows late


def test_a_foreign_folder_named_platform_is_not_ours(tmp_path):
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "notes.py").write_text("")
    assert "tune" in python("-c", "from platform import tune; print(tune.__name__)", cwd=tmp_path)


def test_help_answers_at_once_and_loads_nothing_heavy(tmp_path):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert "EXPERIMENT" in python("-m", "platform.tune", "--help", cwd=tmp_path).upper()
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0
    heavy = {"ray", "torch", "numpy", "numba", "pandas", "pydantic", "gymnasium"}
    probe = ("import sys\nfrom platform import tune\n"
             "try:\n    tune.main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
             f"print('LOADED', sorted({heavy!r} & set(sys.modules)))")
    assert "LOADED []" in python("-c", probe, cwd=tmp_path)


def test_the_start_file_is_one_line_and_names_one_function():
    line = (ROOT / "platform_startup.pth").read_text()
    assert line.strip() == "import _platform_startup; _platform_startup.install()"
    assert (ROOT / "platform_startup.start").read_text().strip() == "_platform_startup:install"
    tree = ast.parse((ROOT / "_platform_startup.py").read_text())
    imported = {alias.name if isinstance(node, ast.Import) else node.module
                for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    assert imported == {"sys", "importlib.machinery", "os.path"}        # all of them loaded in every interpreter anyway


def test_it_holds_in_a_ray_worker(ray_session):
    @ray_session.remote
    def says():
        import os

        import platform
        from platform.trial import build

        return platform.system(), os.uname().sysname, platform.node(), build.__file__, build.stable_seed("a", 1)

    from platform.trial import build

    system, wanted, node, file, seed = ray_session.get(says.remote())
    assert (system, node) == (wanted, platform.node())
    assert file == build.__file__ and seed == build.stable_seed("a", 1)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The distribution as a wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(folder), str(ROOT),
           cwd=folder)
    found, = folder.glob("recloop-*.whl")
    return found


def test_the_wheel_carries_everything(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert set(HOOK) <= names
    tracked = {path.relative_to(ROOT).as_posix() for folder in ("platform", "envs", "custom_algos", "tune_configs")
               for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
               and "movielens" not in path.name}          # tests/test_package.py says why
    assert tracked <= names and any(name.endswith(".parquet") for name in tracked)
    assert not [n for n in names if n not in tracked and n not in HOOK and ".dist-info/" not in n]
    assert "platform/__init__.py" not in names
    assert "recloop = platform.commands.main:main" in entry_points
    assert "recloop = platform.commands.main:main" in entry_points


@pytest.mark.slow
def test_an_installed_wheel_works_and_leaves_without_a_trace(wheel, tmp_path):
    """In an environment of its own that borrows everything else from this one."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    exe, site = home / "bin" / "python", next((home / "lib").glob("python3*/site-packages"))
    pip = ("-m", "pip", "--python", str(exe))
    python(*pip, "install", "--no-deps", "--no-index", "-q", str(wheel), cwd=tmp_path)
    assert all((site / name).is_file() for name in HOOK)
    system, *_, standard, ours = json.loads(python("-c", SAYS, exe=exe, cwd=tmp_path))
    assert system == os.uname().sysname and Path(ours) == site / "platform" / "tune.py"
    assert Path(standard) == Path(os.__file__).with_name("platform.py")
    assert "EXPERIMENT" in python("-m", "platform.tune", "--help", exe=exe, cwd=tmp_path).upper()
    here = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    borrowed = {"PYTHONPATH": str(here)}                  # dependencies; our editable .pth does not act from there
    listed = python("-m", "platform.tune", "--list", exe=exe, cwd=tmp_path, env=borrowed)
    assert "quickstart" in listed and "recloop/Logged-v0" in listed
    made = "import gymnasium; print(gymnasium.make('envs:recloop/BernoulliBandit-v0').reset(seed=0)[0].shape)"
    assert python("-c", made, exe=exe, cwd=tmp_path, env=borrowed).strip() == "(1,)"
    python(*pip, "uninstall", "-y", "-q", "recloop", cwd=tmp_path)
    assert not any((site / name).exists() for name in HOOK)
    assert python("-m", "platform", exe=exe, cwd=tmp_path).strip() == platform.platform()
