"""What an interrupted run left that no undo of a step names: dropped before the first undo."""

from typing import List, Sequence

from converge.history.recorded import RecordedRun, RecordedStep
from converge.history.undoing import Given
from converge.quoting import qualified
from converge.server.helpers import Helper, helpers
from converge.steps import Kind, Lock, Run, Step


def swept(
    given: Given, undone: Sequence[RecordedRun], in_effect: Sequence[RecordedStep]
) -> List[Step]:
    """Return the steps that drop the helpers on the tables of these runs.

    In a whole run a later step has put them in place or dropped them, so that nothing is left.
    """
    steps = [step for run in undone for step in run.steps]
    named = {change.name for step in in_effect for change in step.undo.indexes}
    tables = {qualified(given.schema, step.table): step.table for step in steps if step.table}
    return [
        _dropping(given.schema, tables[found.relation], found)
        for found in helpers(given.connection, sorted(tables))
        if found.noun == "constraint" or found.name not in named
    ]


def _dropping(schema: str, table: str, helper: Helper) -> Step:
    is_index = helper.noun == "index"
    return Step(
        kind=Kind.DROP_INDEX if is_index else Kind.DROP_HELPER,
        schema=schema,
        table=table,
        name=helper.name,
        why="an interrupted run left it",
        statements=(helper.drop.replace("DROP INDEX", "DROP INDEX CONCURRENTLY", 1),),
        run=Run.ONLINE if is_index else Run.BRIEF,
        lock=Lock.SHARED if is_index else Lock.INSTANT,
    )
