"""What a row of the table of constructs is, and what its models are written with."""

from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from sqlalchemy import Column, Integer, MetaData, PrimaryKeyConstraint, Table

Models = Callable[[MetaData], object]


class Construct(NamedTuple):
    """A construct of SQLAlchemy in models, and a change of it.

    `refused` has words of the refusal that has to come of the change, or of the construct where
    there is no change; `or_refused` of one that may come. `leaves`: something is no longer in the
    changed models, and therefore left alone. `ends_as`: the models that the end is equal to, where
    that is not the change. `holds` is asked after the change. `rows` is the SQL that fills the
    tables, where what `filling.fill` makes up will not do, and `before` what makes the database fit
    for the models.
    """

    name: str
    first: Models
    then: Optional[Models] = None
    refused: str = ""
    or_refused: str = ""
    leaves: bool = False
    ends_as: Optional[Models] = None
    holds: str = "SELECT true"
    rows_kept: bool = True  # as they are, in columns of the same names and types
    since: int = 120000
    extensions: Tuple[str, ...] = ()
    rows: Optional[str] = None
    before: str = "SELECT"
    schema: str = "public"
    options: Optional[Dict[str, Any]] = None  # of the `MetaData`

    def metadata(self, models: Models) -> MetaData:
        made = MetaData(**(self.options or {}))
        models(made)
        return made


def table(metadata: MetaData, *items: Any, name: str = "t", **options: Any) -> Table:
    """Return a table with a key and these columns, constraints and indexes."""
    return Table(name, metadata, Column("id", Integer, primary_key=True), *items, **options)


def bare(metadata: MetaData) -> MetaData:
    """Return the models without what is said of their columns: a live database of before."""
    for found in metadata.tables.values():
        found.indexes.clear()
        found.foreign_keys.clear()
        found.constraints = {c for c in found.constraints if isinstance(c, PrimaryKeyConstraint)}
        for column in list(found.columns):
            column.foreign_keys.clear()
            column.constraints.clear()
            if column.computed is not None:
                found._columns.remove(column)
            elif column.identity is None:
                column.server_default = None
    return metadata


def column(name: str, first: Any, then: Any, **options: Any) -> Construct:
    """Return a change of a column `v`, of which both states are made anew each time."""
    return Construct(name, lambda m: table(m, first()), lambda m: table(m, then()), **options)


def item(name: str, make: Any, then: Any = None, *, columns: Any, **options: Any) -> Construct:
    """Return what is said of columns (an index, a constraint), and what is said of them later."""
    changed = (lambda m: table(m, *columns(), then())) if then else None
    return Construct(name, lambda m: table(m, *columns(), make()), changed, **options)
