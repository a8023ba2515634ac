"""The engine: brings a PostgreSQL database to the state that SQLAlchemy models describe.

What a run needs only when there is something to do is imported when it is first named:
`converge.Applier` is that of `converge.change.apply`. (https://peps.python.org/pep-0562/)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converge.change.apply import Applier as Applier
    from converge.console.plan_json import Heading as Heading
    from converge.console.plan_json import document as document
    from converge.console.plan_markdown import render_markdown as render_markdown
    from converge.console.plan_read import Approved as Approved
    from converge.console.plan_read import read_plan as read_plan
    from converge.console.plan_text import render_all as render_all
    from converge.console.review import review as review
    from converge.crew import Crew as Crew
    from converge.history.approved import differing as differing
    from converge.history.approved import place_differs as place_differs
    from converge.history.approved import plan_differs as plan_differs
    from converge.history.consent import ask as ask
    from converge.history.consent import refuse_older as refuse_older
    from converge.history.journal import Journal as Journal
    from converge.history.left_over import left_over as left_over
    from converge.history.rollback import Rollback as Rollback
    from converge.history.rollback import newest_runs as newest_runs
    from converge.history.rollback import plan_rollback as plan_rollback
    from converge.history.rollback import require_newest as require_newest
    from converge.history.show import show as show
    from converge.history.show import show_run as show_run
    from converge.plan import Plan as Plan
    from converge.plan import alike as alike
    from converge.plan import joined as joined
    from converge.server.inspect import ServerFacts as ServerFacts
    from converge.server.inspect import inspect as inspect
    from converge.server.locks import not_acquired as not_acquired
    from converge.server.locks import run_lock as run_lock
    from converge.server.waits import watch as watch
    from converge.steps import Done as Done

WHERE = {
    "Applier": "change.apply",
    "Crew": "crew",
    "Heading": "console.plan_json",
    "Journal": "history.journal",
    "alike": "plan",
    "ask": "history.consent",
    "differing": "history.approved",
    "document": "console.plan_json",
    "inspect": "server.inspect",
    "joined": "plan",
    "left_over": "history.left_over",
    "not_acquired": "server.locks",
    "newest_runs": "history.rollback",
    "place_differs": "history.approved",
    "plan_differs": "history.approved",
    "plan_rollback": "history.rollback",
    "read_plan": "console.plan_read",
    "refuse_older": "history.consent",
    "render_all": "console.plan_text",
    "render_markdown": "console.plan_markdown",
    "require_newest": "history.rollback",
    "review": "console.review",
    "run_lock": "server.locks",
    "show": "history.show",
    "show_run": "history.show",
    "watch": "server.waits",
}


def __getattr__(name: str) -> Any:
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{WHERE[name]}"), name)
