"""Lets the folder ``platform/`` of this project extend the standard library's ``platform``.

The standard module stays what it is; it only gains a ``__path__``, so that ``platform.tune`` and its
neighbours are found in the first folder named ``platform`` on ``sys.path`` that carries our marker file
(``tune.py``).  A checkout in the current folder, on PYTHONPATH or in Ray's ``working_dir`` therefore goes
before an installed copy, as for any package.  ``platform_startup.pth`` calls ``install`` when an
interpreter of this environment starts (``platform_startup.start`` from Python 3.15 on); it costs a
fraction of a millisecond, because the standard module is not imported before somebody asks for it.
"""
import sys
from importlib.machinery import PathFinder, SourceFileLoader
from os.path import abspath, isfile, join


class _OurFolders:
    """A ``__path__`` that is worked out anew whenever ``sys.path`` has changed.

    Ray puts the driver's folder on a worker's path only after that worker has imported the standard
    module, so a list fixed at import time would find another copy of the project in the workers.
    """

    def __init__(self):
        self._seen, self._found = None, []

    def _folders(self):
        seen = tuple(sys.path)
        if seen != self._seen:
            candidates = (join(abspath(entry), "platform") for entry in seen if isinstance(entry, str))
            self._found = [folder for folder in candidates if isfile(join(folder, "tune.py"))][:1]
            self._seen = seen
        return self._found

    def __iter__(self):
        return iter(self._folders())

    def __len__(self):
        return len(self._folders())

    def __getitem__(self, index):
        return self._folders()[index]

    def __repr__(self):
        return f"_OurFolders({self._folders()!r})"


class _StandardPlatformLoader(SourceFileLoader):
    def exec_module(self, module):
        super().exec_module(module)
        module.__path__ = _OurFolders()


class _StandardPlatformFinder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "platform":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and type(spec.loader) is SourceFileLoader and spec.submodule_search_locations is None:
            spec.loader = _StandardPlatformLoader(name, spec.origin)
        return spec


def install():
    """Give the standard module its ``__path__`` now, or as soon as it is imported."""
    module = sys.modules.get("platform")
    if module is None:
        if _StandardPlatformFinder not in sys.meta_path:
            sys.meta_path.insert(0, _StandardPlatformFinder)
    elif not hasattr(module, "__path__"):
        module.__path__ = _OurFolders()
