"""The file `.env`."""

import os
from typing import Dict

from converge.errors import ConfigurationError


def read_dotenv(path: str) -> Dict[str, str]:
    """Return what a file sets to more than nothing; nothing if there is none.

    Raises `ConfigurationError` with the numbers of its lines, as what they hold may be secret.
    """
    if not os.path.exists(path):
        return {}
    from dotenv.parser import parse_stream  # Here: it takes as long as all our own modules.

    try:
        # The parser and not dotenv_values(), which passes over a broken line with a warning, and
        # would replace the ${...} in a password.
        with open(path, encoding="utf-8-sig") as file:
            bindings = list(parse_stream(file))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8") from None
    broken = [str(binding.original.line) for binding in bindings if binding.error]
    if broken:
        raise ConfigurationError(
            f"{path} has lines that are not NAME=value: line {', '.join(broken)}"
        )
    return {binding.key: binding.value for binding in bindings if binding.key and binding.value}
