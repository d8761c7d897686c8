"""Read the YAML files that are published beside models: text, numbers, lists and dictionaries, and nothing else."""

from __future__ import annotations

import pathlib
from typing import Any

from ..checks import VALUE_ERRORS
from ..errors import MissingExtraError, ModelError
from ..system.extras import is_installed

LARGEST_FILE = 1 << 20
# Published configurations name this tag of PyYAML's; a list does as well.
TUPLE_TAG = "tag:yaml.org,2002:python/tuple"


def read_yaml(path: pathlib.Path) -> dict[str, Any]:
    """Read a YAML file whose top is a dictionary.

    Raises
    ------
    ModelError
        The file is missing, too large, damaged, has another form, or asks for Python objects.
    MissingExtraError
        PyYAML is not installed.
    """
    if not is_installed("yaml"):
        raise MissingExtraError("PyYAML is not installed", path=path, hint="install it with: pip install pyyaml")
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            # A few lines of references to references stand for any number of values.
            if self.check_event(yaml.events.AliasEvent):
                raise ModelError("refers to its own parts, which no published configuration does")
            return super().compose_node(parent, index)

    Loader.add_constructor(TUPLE_TAG, lambda loader, node: loader.construct_sequence(node, deep=True))
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelError(f"too large for a configuration ({size >> 20} MB)")
        content = yaml.load(path.read_bytes(), Loader)
    except FileNotFoundError:
        raise ModelError("no such configuration file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    except ModelError as error:
        raise error.about(path) from None
    except yaml.constructor.ConstructorError as error:
        raise ModelError(
            f"asks for what no configuration needs ({error.problem})", path=path, hint="nothing of it was run"
        ) from None
    except (yaml.YAMLError, *VALUE_ERRORS) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ModelError(f"not a YAML file ({problem})", path=path, hint="download it again") from None
    if not isinstance(content, dict):
        raise ModelError("not the configuration of a model (it is no dictionary)", path=path)
    return content
