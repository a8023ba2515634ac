"""`.env.example` has every variable with its default, as the code does."""

from converge.settings.variables import Variable
from tests.support.program import ROOT
from tests.support.variables import VARIABLES

HEAD = """\
# Copy this to .env and fill in what is required. The environment overrides that file.
"""


def line(variable: Variable) -> str:
    """Return what is required, to be filled in, or the default, to be changed."""
    given = f"{variable.name}={variable.default or ''}"
    return given if variable.default is None else f"# {given}"


def test_it_has_every_variable_with_its_default() -> None:
    """Whoever adds a variable adds it here."""
    entries = (f"\n# {variable.meaning}\n{line(variable)}\n" for variable in VARIABLES)
    assert (ROOT / ".env.example").read_text("utf-8") == HEAD + "".join(entries)
