"""The models' comments, on a table and what it has; what others have commented on is left alone."""

from typing import Iterable, Iterator, NamedTuple, Optional, Tuple

from converge.compare.table import ComparedTable
from converge.compare.words import has_constraint
from converge.quoting import identifier, literal
from converge.steps import Kind, Lock, Undo


class Comment(NamedTuple):
    """A comment that the models have, or the database; `target` is said in SQL."""

    target: str
    name: str
    wanted: Optional[str]
    live: Optional[str]
    added: bool = False  # by this plan; it goes with its comment

    @property
    def written(self) -> str:
        return f"COMMENT ON {self.target} IS {_said(self.wanted)}"

    @property
    def restored(self) -> str:
        return f"COMMENT ON {self.target} IS {_said(self.live)}"


def comments(table: ComparedTable) -> None:
    """Write the models' comments; a live comment where the model has none is left alone."""
    found = list(_comments(table))
    kept = [comment.name or table.name for comment in found if comment.live and not comment.wanted]
    if kept:
        table.notes.append(f"comments of {table.relation}, not in the models: {', '.join(kept)}")
    changed = [c for c in found if c.wanted is not None and c.wanted != c.live]
    if changed:
        table.step(
            Kind.SET_COMMENTS,
            table.name,
            "; ".join(map(_change, changed)),
            [comment.written for comment in changed],
            lock=Lock.SHARED,
            undo=Undo(
                statements=tuple(comment.restored for comment in changed if not comment.added),
                lock=Lock.SHARED,
            ),
            change=(
                _listed((c.name or table.name, c.live) for c in changed),
                _listed((c.name or table.name, c.wanted) for c in changed),
            ),
        )


def _comments(table: ComparedTable) -> Iterator[Comment]:
    yield Comment(f"TABLE {table.relation}", "", table.desired.comment, table.live.comment)
    for name, desired in table.desired.columns.items():
        live = table.live.columns.get(name)
        if live is not None or name in table.values:
            target = f"COLUMN {table.relation}.{identifier(name)}"
            comment = live.comment if live else None
            yield Comment(target, name, desired.comment, comment, added=live is None)
    for name, wished in table.desired.constraints.items():
        known = table.live_names.get(name, name)
        there = table.live.constraints.get(known)
        if there is not None and has_constraint(table, known, name):
            target = f"CONSTRAINT {identifier(known)} ON {table.relation}"
            yield Comment(target, known, wished.comment, there.comment)


def _change(comment: Comment) -> str:
    subject = f"{comment.name} " if comment.name else ""
    was = "" if comment.live is None else f"was {comment.live!r}, "
    return f"{subject}{was}is to be {comment.wanted!r}"


def _listed(comments: Iterable[Tuple[str, Optional[str]]]) -> str:
    """Return comments, each behind the name of what it is on."""
    said = ((name, text) for name, text in comments if text is not None)
    return "; ".join(f"{identifier(name)} {literal(text)}" for name, text in said)


def _said(text: Optional[str]) -> str:
    return "NULL" if text is None else literal(text)
