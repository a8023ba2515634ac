"""Reading the settings: from the environment and, for what is not there, from `.env`."""

from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from converge.errors import ConfigurationError
from converge.settings.checks import CREDENTIALS, shortened
from converge.settings.dotenv import read_dotenv
from converge.settings.nearly import nearly_ours
from converge.settings.shard import shard_of_job
from converge.settings.variables import (
    GUARDS,
    SECRETS,
    SHARD,
    SHARD_INDEX,
    SHARDS,
    URL,
    VARIABLES,
    Settings,
    Variable,
)

UNUSABLE = "The configuration is unusable; nothing was done."
NOTHING_GIVEN = "Set them here or in .env; --help lists all; `make run` has a server of its own."


def load_settings(
    environ: Mapping[str, str], dotenv_path: str = ".env", own: Sequence[Variable] = ()
) -> Settings:
    """Read the settings from `environ` and, for what is not there, from the file `dotenv_path`.

    Neither is changed. `own` are variables besides the engine's.
    Raises `ConfigurationError` with all mistakes at once, and no secret.
    """
    variables = (*VARIABLES, *own)
    dotenv = read_dotenv(dotenv_path)
    given = _given(variables, environ, dotenv)
    parts, mistakes = _parts(variables, given)
    values, wrong = _values(variables, given, parts)
    wrong += _shard_of_pod(given, values)
    missing = () if mistakes else _missing_or_twice(variables, {**parts, **given})
    mistakes += [*wrong, *missing]
    names = [variable.name for variable in variables]
    unread = {
        meant: f"{name} is not read; {meant} is"
        for name, meant in nearly_ours([*environ, *dotenv], names, given)
    }
    if SHARD in given and SHARDS in given:
        unread[SHARD] = f"{SHARDS} is not read; {SHARD} is"
    mistakes += [unread.pop(name) for name in GUARDS if name in unread]
    if mistakes:
        if not given:
            mistakes.append(NOTHING_GIVEN)
        listed = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise ConfigurationError(UNUSABLE + listed, mistakes)
    del values["url"]
    mine = {variable.field: values.pop(variable.field) for variable in own}
    found = values["source"].names
    return Settings(**values, schemas=found, own=mine, doubts=tuple(unread.values()))


def _parts(
    variables: Sequence[Variable], given: Mapping[str, str]
) -> Tuple[Dict[str, str], List[str]]:
    """Return what the URL has of what is not given, by variable, or what is wrong with it.

    Another program's is nothing to us: it is read where what is required is not given without it.
    """
    decided = {v.field for v in variables if v.name in given}
    if URL not in given or {v.field for v in variables if v.default is None} <= decided:
        return {}, []
    [variable] = [v for v in variables if v.name == URL]
    try:
        found = _parsed(variable, given[URL])
    except ValueError as error:
        return {}, [f"{_shown(variable, given[URL])}: {error}"]
    firsts = {v.field: v.name for v in reversed(variables)}
    return {firsts[name]: part for name, part in found.items() if name not in decided}, []


def _values(
    variables: Sequence[Variable], given: Mapping[str, str], parts: Mapping[str, str]
) -> Tuple[Dict[str, Any], List[str]]:
    """Return the values by field, and what is wrong with those that have none."""
    values: Dict[str, Any] = {}
    mistakes: List[str] = []
    for variable in variables:
        text = parts.get(variable.name, given.get(variable.name))
        if text is not None and variable.name != URL:
            try:
                values[variable.field] = _parsed(variable, text)
            except ValueError as error:
                of_url = f"{variable.name}, which {URL} has"
                shown = of_url if variable.name in parts else _shown(variable, text)
                mistakes.append(f"{shown}: {error}")
        elif variable.default:
            values[variable.field] = variable.parse(variable.default)
        elif variable.default == "":
            values.setdefault(variable.field, None)
    return values, mistakes


def _shard_of_pod(given: Mapping[str, str], values: Dict[str, Any]) -> List[str]:
    """Let a pod's number in its Indexed Job be its SHARD; return what is wrong with it."""
    shards, index = values.pop("shards", None), values.pop("shard_index", None)
    if SHARD in given or shards is None or (index is None and SHARD_INDEX in given):
        return []
    try:
        values["shard"] = shard_of_job(shards, index)
    except ValueError as error:
        return [f"{SHARDS}={given[SHARDS]!r}: {error}"]
    return []


def _given(
    variables: Sequence[Variable], environ: Mapping[str, str], dotenv: Mapping[str, str]
) -> Dict[str, str]:
    # Empty counts as unset: it is what compose files and charts make of a value that is not there.
    given = {v.name: environ[v.name] for v in variables if environ.get(v.name)}
    decided = {v.field for v in variables if v.name in given}
    for variable in variables:
        if variable.field not in decided and dotenv.get(variable.name):
            given[variable.name] = dotenv[variable.name]
    if SHARD in given or SHARDS not in given:
        given.pop(SHARD_INDEX, None)  # any Indexed Job has it
    return given


def _parsed(variable: Variable, value: str) -> Any:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds bytes that are not UTF-8") from None
    if "\0" in value:
        raise ValueError("must not hold a NUL byte")
    return variable.parse(value)


def _shown(variable: Variable, value: str) -> str:
    if variable.parse in SECRETS or CREDENTIALS.search(value):
        return f"{variable.name} (its value is not shown)"
    return f"{variable.name}={shortened(value)}"


def _missing_or_twice(variables: Sequence[Variable], given: Mapping[str, str]) -> Iterator[str]:
    for variable in variables:
        names = [other.name for other in variables if other.field == variable.field]
        found = [name for name in names if name in given]
        if variable.default is None and not found:
            yield f"{' or '.join(names)} is missing: {variable.meaning}"
        if variable.name == names[0] and len(found) > 1:
            *others, last = found
            count = "both" if len(found) == 2 else "all"
            yield f"{', '.join(others)} and {last} are {count} given: keep one of them"
