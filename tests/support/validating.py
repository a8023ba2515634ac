"""The validator of JSON schemas, without its check of URIs, which none of ours has.

That compiles a grammar for two seconds when it is imported, in each process of the tests.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from jsonschema import Draft202012Validator  # noqa: E402

__all__ = ["Draft202012Validator"]
