"""A plan as Markdown, as GitHub shows it."""

import re
from typing import List

import pytest
from markdown_it import MarkdownIt

from converge.console.markdown import code, fenced, head, prose, row
from converge.console.plan_markdown import render_markdown
from converge.console.review import reviewed
from converge.plan import Alike, Plan, Thing, Unmanaged
from converge.server.sizes import Size
from converge.steps import Kind
from tests.support.plans import BUILD, FILL, MISFITS, REWRITE, plan, step

GITHUB = MarkdownIt("gfm-like", {"linkify": False, "html": True})
TAKES = 65_536  # letters of a comment
HOSTILE = [
    "a|b",
    "a\\|b",
    "a`b",
    "``",
    "`",
    "<script>alert(1)</script>",
    "</details>",
    "a\nb",
    "\n\n# a",
    "*a* _b_ __c__ ~~d~~",
    "[a](http://b)",
    "![a](http://b)",
    "&lt; &#124;",
    "- a",
    "1. a",
    "1) a",
    "12. a",
    "> a",
    "---",
    "===",
    "+ a",
    "$a$",
    "\\",
    "user_email",
    "| --- |",
]
WHOLE = """\
## Plan: 2 steps

Exit code **0**: nothing is refused.

- Everybody waits while a table is rewritten: step 1.
- In all some 17 min, estimated from sizes: the order of magnitude.
- 2 steps; the schema's history records them.

### Warnings

- public.weight.date is required.

- its sequence is behind. Forward it:

```sql
SELECT setval('s', 7);
```

### Tables

| table | `+` added | `~` changed | `-` dropped | `=` left alone |
| --- | --- | --- | --- | --- |
| `public.weight` |  | columns weight (type), owner (rows) |  | column mood |

### Steps

**1.** `change type public.weight.weight`
- **changes rows that are there**
- **cannot be undone once a row has a value that would be lost**
- `real` → `double precision`
- `brief`: ACCESS EXCLUSIVE on public.weight while it is rewritten: readers and writers wait
- some 12,034,000 rows, 3.2 GB; some 2 min, estimated from its size

<details><summary>SQL</summary>

```sql
ALTER TABLE public.weight ALTER COLUMN weight TYPE double precision;
```

</details>

**2.** `backfill public.weight.owner`
- **changes rows that are there**
- **cannot be undone: a rollback leaves what it writes**
- rows that have none
- `NULL` → `'me'`
- `batches`: ROW EXCLUSIVE on public.weight, and each batch's rows: others write other rows
- some 12,034,000 rows, 3.2 GB; some 14 min, estimated from its size

<details><summary>SQL</summary>

```sql
UPDATE public.weight SET owner = 'me' WHERE owner IS NULL;
```

</details>

### Left alone

- columns of public.weight: mood"""


def markdown(found: Plan, *schemas: str, skips: bool = False, differs: int = 0) -> str:
    known = {("public", "weight"): Size(12_034_000, 3_435_973_837)}
    alike = [Alike(found, schemas or ("public",))]
    return render_markdown(reviewed(alike, known), skips=skips, differs=differs)


def read(text: str) -> List[str]:
    """Return the words of a Markdown text as another program reads it: nothing else is in them."""
    inline = [token for token in GITHUB.parse(text) if token.type == "inline"]
    parts = [part for token in inline for part in token.children or []]
    assert {part.type for part in parts} <= {"text", "code_inline"}, text
    return ["".join(part.content for part in token.children or []) for token in inline]


def test_the_whole_of_a_plan() -> None:
    """What to look at first stands on top, and SQL is folded away."""
    warnings = (
        "public.weight.date is required.",
        "its sequence is behind. Forward it:\n    SELECT setval('s', 7);",
    )
    left = Unmanaged(Thing("column", "public", "weight", "mood"))
    assert markdown(plan(REWRITE, FILL, warnings=warnings, unmanaged=(left,))) == WHOLE


def test_a_refusal_stands_before_the_steps_with_what_to_type() -> None:
    """A fence is longer than any run of backticks in it."""
    text = markdown(plan(BUILD, refusals=(MISFITS,)), "a", "b")
    assert text.startswith(
        "## Plan: 2 steps, 2 refused, 2 schemas\n\nExit code **4**: refused, a person has to act.\n"
    )
    assert (
        "### Refused\n\n"
        "**`public.weight.date` is character varying; the model says date.**\n\n"
        "1 of 2 rows does not convert.\n\n"
        "In 2 schemas: a, b\n\n"
        "Find them with:\n\n"
        "```sql\nSELECT `time` FROM public.weight;\n```\n\n### Tables\n"
    ) in text
    assert fenced(["SELECT '```'", "`"]) == "````sql\nSELECT '```'\n`\n````"


@pytest.mark.parametrize(
    ("found", "differs", "expected"),
    [
        (plan(BUILD), 5, "1 step\n\nExit code **5**: the database differs from the models."),
        (plan(), 5, "0 steps\n\nExit code **0**: there is nothing to do."),
        (plan(refusals=(MISFITS,)), 5, "1 refused\n\nExit code **4**: refused, a person has"),
    ],
)
def test_the_title_says_how_it_ends(found: Plan, differs: int, expected: str) -> None:
    assert markdown(found, differs=differs).startswith(f"## Plan: {expected}")


@pytest.mark.parametrize("name", HOSTILE)
def test_other_peoples_words_are_nothing_but_text(name: str) -> None:
    """Another program reads in them what they are, in a line as well as in a table."""
    line = " ".join(name.split())
    for said in (prose(name), code(name)):
        assert read(f"- {said}") == [line]
        assert read(f"{head(['a', 'b'])}\n{row([said, 'x'])}") == ["a", "b", line, "x"]
    assert read(prose(name)) == [line]


def test_nobody_gets_an_e_mail() -> None:
    """GitHub sends one to whoever is named with an @; an address names nobody."""
    assert prose("@ann, a@example.org and '@bob'") == (
        "@&#8203;ann, a@example.org and '@&#8203;bob'"
    )


def test_a_hostile_plan_is_read_as_its_words() -> None:
    """Each name of a step is a name of the text, and nothing in it ends what is folded."""
    name = "a|`b`</details>\n\n# <script> @ann"
    hostile = step(Kind.SET_DEFAULT, name, f"SELECT '{name}```'", table=name, after=name)
    text = markdown(plan(hostile, warnings=(name,)))
    html = GITHUB.render(text)
    fences = re.sub(r"(?ms)^(````*)sql$.*?^\1$", "", text)
    assert "<script>" not in fences
    assert html.count("<h3>") == 3  # warnings, tables, steps
    assert html.count("<table>") == 1
    assert html.count("<pre>") == 2  # the warning's other lines, and the SQL


def test_github_takes_the_longest_plan() -> None:
    """What is left out is counted; refusals are kept before steps, and steps before their SQL."""
    long = ("SELECT " + "1, " * 300 + "1",)
    steps = [BUILD._replace(name=f"by_{n}", statements=long, table=f"t{n}") for n in range(400)]
    refusals = [MISFITS._replace(subject=f"public.t{n}") for n in range(3)]
    text = markdown(plan(*steps, refusals=tuple(refusals)))
    assert len(text) < TAKES
    assert all(f"`public.t{n}` is character varying" in text for n in range(3))
    assert "**1.** `create index public.t0.by_0`" in text
    assert text.endswith(
        "*Left out here: 163 tables, 7 steps, 393 SQL blocks.* GitHub takes no more. "
        "`create_tables.py --plan` prints all of it."
    )
