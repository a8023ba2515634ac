"""Plans as a person sees them."""

from converge.console.plan_text import render_all
from converge.console.review import reviewed
from converge.plan import Alike, Plan


def rendered(plan: Plan) -> str:
    """Return a plan as text, without sizes."""
    return render_all(reviewed([Alike(plan, ("public",))], {}))
