"""YAML as people write it: numbers that look like numbers, no key twice, and nothing that unfolds without end."""
import re
from typing import Any

import yaml

LARGEST = 100_000                                         # nodes of a file whose aliases are written out


class Loader(yaml.SafeLoader):
    """1e-3 is a number; 1:40 and 0100 are text (YAML 1.1 would read 100 and 64); no key stands twice."""

    def flatten_mapping(self, node):
        if not getattr(node, "looked_at", False):         # before merge keys are unfolded into it
            node.looked_at = True
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = next((key for key in keys if keys.count(key) > 1 and key != "<<"), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(None, None, f"key '{twice}' is there twice", node.start_mark)
        super().flatten_mapping(node)


def _numbers() -> None:
    """Only decimal numbers in place of YAML 1.1's."""
    resolvers = {first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":int", ":float"))]
                 for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}
    Loader.yaml_implicit_resolvers = resolvers
    whole = r"[-+]?(0|[1-9][0-9_]*)$"
    real = r"[-+]?(([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+" \
           r"|\.(inf|Inf|INF))$|\.(nan|NaN|NAN)$"
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(whole), list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(real), list("-+.0123456789"))


_numbers()


def load(text: str) -> Any:
    """The content of one YAML document; `yaml.YAMLError` where it is none, or unfolds to more than `LARGEST` nodes."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}, set()) > LARGEST:
            raise yaml.YAMLError(f"its aliases unfold to more than {LARGEST:,} values")
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except (ValueError, OverflowError, TypeError) as error:
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()


def _size(node, known: dict[int, int], above: set[int]) -> int:
    """Nodes below ``node`` with aliases written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in above:
        raise yaml.YAMLError("an alias stands inside what it names")
    if id(node) not in known:
        above.add(id(node))
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_size(part, known, above) for part in parts)
        above.remove(id(node))
    return known[id(node)]
