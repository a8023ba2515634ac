"""A plan as Markdown, as one posts it on a pull request: what to look at first stands on top."""

from collections import Counter
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple

from converge.console.changes import by_table
from converge.console.markdown import code, fenced, folded, head, prose, row
from converge.console.plan_words import (
    changed,
    ending,
    estimate,
    runnable,
    same,
    stands_out,
    touched,
    waits,
    where,
)
from converge.console.review import Outlook, Review, Reviewed, outlook, together
from converge.names import PROGRAM
from converge.plan import Refusal
from converge.steps import Step
from converge.text import counted

# Letters: GitHub takes 65,536, and whoever posts it may want to say something, too.
MOST, TITLES = 65_000, 1_000
MOST_ENDINGS, MOST_REFUSED, MOST_WARNINGS = 5_000, 15_000, 5_000
MOST_TABLES, MOST_LEFT = 10_000, 3_000
COLUMNS = ("table", "`+` added", "`~` changed", "`-` dropped", "`=` left alone")


def render_markdown(found: Sequence[Review], *, skips: bool = False, differs: int = 0) -> str:
    """Return the plans of all schemas, once for those that have the same.

    With `skips`, a schema that is refused does not keep the others from being done. `differs` is
    the exit code where there is something to do and nothing is refused.
    """
    ahead, page = outlook(found, skips=skips), _Page()
    parts = together(found, ahead)
    top = [
        _title(found, differs),
        *page.fitting(_endings(parts, ahead), "summary", MOST_ENDINGS),
        *page.section("Refused", _refusals(parts), "refusal", MOST_REFUSED),
        *page.section("Warnings", _warnings(parts), "warning", MOST_WARNINGS),
    ]
    rows = page.fitting(_tables(parts), "table", MOST_TABLES)
    tables = ["### Tables", "\n".join([head(COLUMNS), *rows])] if rows else []
    left = page.section("Left alone", _left_alone(parts), "thing left alone", MOST_LEFT)
    steps = page.steps(parts)
    return "\n\n".join([*top, *tables, *steps, *left, *page.shortened()])


class _Page:
    """How much room there is, and how much was left out for want of it."""

    def __init__(self) -> None:
        self.room = MOST - TITLES
        self.left_out: Counter[str] = Counter()

    def fitting(self, blocks: Iterable[str], noun: str, most: int = MOST) -> List[str]:
        """Return the blocks up to the first that does not fit; count the others as nouns."""
        found, kept, most = list(blocks), [], min(most, self.room)
        for block in found:
            most -= len(block) + 2
            if most < 0:
                break
            self.room -= len(block) + 2
            kept.append(block)
        self.left_out[noun] += len(found) - len(kept)
        return kept

    def section(self, title: str, blocks: Iterable[str], noun: str, most: int) -> List[str]:
        kept = self.fitting(blocks, noun, most)
        return [f"### {title}", *kept] if kept else []

    def steps(self, found: Sequence[Review]) -> List[str]:
        """Return what is said of each step; the SQL for as long as there is room for it."""
        listed = [one for review in found for one in _listed(review)]
        parts: List[str] = []
        kept = self.fitting((said for said, _ in listed), "step")
        for said, (_, step) in zip(kept, listed):
            sql = [] if step is None else [folded("SQL", fenced(runnable(step)))]
            parts += [said, *self.fitting(sql, "SQL block")]
        return ["### Steps", *parts] if parts else []

    def shortened(self) -> List[str]:
        """Return what to do about what was left out."""
        counts = [counted(count, noun) for noun, count in self.left_out.items() if count]
        all_of_it = f"GitHub takes no more. `{PROGRAM} --plan` prints all of it."
        return [f"*Left out here: {', '.join(counts)}.* {all_of_it}"] if counts else []


def _title(found: Sequence[Review], differs: int) -> str:
    """Return how much there is in all schemas, and what that comes to."""
    steps = sum(len(review.steps) * len(review.schemas) for review in found)
    refused = sum(len(review.plan.refusals) * len(review.schemas) for review in found)
    schemas = sum(len(review.schemas) for review in found)
    counts = [counted(steps, "step")] if steps or not refused else []
    counts += [f"{refused:,} refused"] if refused else []
    counts += [counted(schemas, "schema")] if schemas > 1 else []
    if refused:
        ends = "**4**: refused, a person has to act"
    elif steps and differs:
        ends = f"**{differs}**: the database differs from the models"
    else:
        ends = "**0**: nothing is refused" if steps else "**0**: there is nothing to do"
    return f"## Plan: {', '.join(counts)}\n\nExit code {ends}."


def _endings(found: Sequence[Review], ahead: Outlook) -> Iterator[str]:
    for review in found:
        schemas = [prose(f"{where(review)}:")] if review.schemas else []
        yield "\n".join([*schemas, *(f"- {prose(line)}" for line in ending(review, ahead))])


def _refusals(found: Sequence[Review]) -> Iterator[str]:
    for review in found:
        for refusal in review.plan.refusals:
            yield _refusal(refusal, where(review) if review.schemas[1:] else "")


def _refusal(refusal: Refusal, schemas: str) -> str:
    subject = f"{code(refusal.subject)} " if refusal.subject else ""
    way_out = refusal.way_out
    lines = [f"**{subject}{prose(refusal.what)}**", *map(prose, refusal.why), prose(schemas)]
    lines.append(prose(way_out.advice))
    typed = [fenced(f"{statement};" for statement in way_out.statements)]
    return "\n\n".join([*filter(None, lines), *(typed if way_out.statements else [])])


def _warnings(found: Sequence[Review]) -> Iterator[str]:
    for warning in dict.fromkeys(one for review in found for one in review.plan.warnings):
        said, *typed = warning.splitlines()
        yield "\n\n".join([f"- {prose(said)}", *([fenced(map(str.strip, typed))] if typed else [])])


def _tables(found: Sequence[Review]) -> Iterator[str]:
    for review in found:
        if review.schemas and review.steps:
            yield row([f"*{prose(where(review))}*", "", "", "", ""])
        for one in by_table(review.plan) if review.steps else []:
            yield row([code(one.where), *(", ".join(map(prose, listed)) for listed in one[1:])])


def _listed(review: Review) -> Iterator[Tuple[str, Optional[Step]]]:
    """Yield in which schemas the steps are, and of each what is said, with the step itself."""
    if review.schemas and review.steps:
        yield f"#### {prose(same(review))}", None
    for number, one in enumerate(review.steps, 1):
        yield _step(number, one, len(review.schemas)), one.step


def _step(number: int, one: Reviewed, schemas: int) -> str:
    """Return a step's title with what it changes, what stands out, and how it runs."""
    step = one.step
    size = "; ".join(filter(None, (touched(one, schemas), estimate(one, schemas))))
    changes = " → ".join(map(code, changed(step)))
    lines = [
        *(f"**{prose(line)}**" for line in stands_out(step)),
        "" if changes and not step.on_the_way else prose(step.why),
        changes,
        f"`{step.run.value}`: {prose(' '.join(waits(step)))}",
        prose(size),
    ]
    return "\n".join([f"**{number}.** {code(str(step))}", *(f"- {line}" for line in lines if line)])


def _left_alone(found: Sequence[Review]) -> Iterator[str]:
    for note in dict.fromkeys(one for review in found for one in review.plan.left_alone()):
        yield f"- {prose(note)}"
