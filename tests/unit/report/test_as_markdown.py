"""A report in Markdown."""

from converge.report.as_markdown import markdown
from converge.report.model import (
    Difference,
    Finding,
    Index,
    Node,
    Outcome,
    Query,
    Refused,
    Report,
    Run,
    Server,
    Table,
)

SERVER = Server(
    "18.1", "db:5432", "chater_db", 2048, "UTF8", "C.UTF-8", "1", "2", False, None, (), ()
)
REPORT = Report(
    "2026-11-27T12:00:00+00:00", "1.1.0", 3, ("public",), ("public",),
    Outcome(4, "refused: a person has to act", True, "refused: ```"), SERVER,
    refusals=(Refused("public.a", "is *odd*", ("2 of 3 rows",), "Type:", ("SELECT 1",), ()),),
    differences=(Difference("add column", "it is missing", ("ALTER TABLE a",), ("a", "b")),),
    warnings=("<script>alert(1)</script>", "- a list\n# a title"),
    tables=(Table("public", "a|b", True, None, 0, 2048, None, None, ()),),
    indexes=(
        Index("public", "a", "i", "", 2048, 0, None, (), True,
              (Finding("never_used", "no scan", "Drop it:", "DROP INDEX i"),)),
    ),
    queries=(
        Query("public", "q", "use", 1, 0.5, 0.25, "sequential scan", ("i", "j"), False,
              (Node(0, "Limit", 1, 0.5), Node(1, "Seq Scan on a", 9000, 0.25))),
    ),
    runs=(Run("public", 1, 1, "migrate", 3, 2, 1, "2026-11-27T11:00:00Z", None, "me", "1"),),
)  # fmt: skip


def test_a_report_is_told_from_its_outcome_to_the_server() -> None:
    """What somebody has to do comes before what is."""
    text = markdown(REPORT)
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        *("Refused", "Different", "Warnings", "Indexes to look at", "Key queries", "Tables"),
        *("Indexes", "Runs", "Server"),
    ]
    for part in (
        "The run ended with exit code 4: refused: a person has to act.",
        "````\nrefused: ```\n````",
        "**public.a is \\*odd\\***\n\n2 of 3 rows\n\nType:\n\n```sql\nSELECT 1;\n```",
        "**add column**: it is missing (in 2 schemas: a, b)\n\n```sql\nALTER TABLE a;\n```",
        "- \\<script\\>alert(1)\\</script\\>\n- \\- a list \\# a title",
        "**public.i**, 2.0 kB, is never used: no scan.\n\nDrop it:\n\n```sql\nDROP INDEX i;\n```",
        "| public | q | 1 | 0.500 | 0.250 | sequential scan | no: i or j |",
        "Limit: 1 row, 0.500 ms\n  Seq Scan on a: 9,000 rows, 0.250 ms\n",
        "| public.a\\|b | yes | \\- | 0 | 2.0 kB | \\- | \\- |",
        "| public | 1 | 1 | migrate | 2 of 3 | 1 | 2026-11-27T11:00:00Z | not verified | me, 1 |",
        "1, and the library has 2: indexes of text are doubtful",
    ):
        assert part in text


def test_what_was_not_compared_is_said() -> None:
    """Without it, no difference would read as none found."""
    assert "It was not compared with the models" in markdown(REPORT._replace(compared=False))
    assert "It was not compared with the models" not in markdown(REPORT)
