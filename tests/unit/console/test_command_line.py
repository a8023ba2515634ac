"""What does not go together on the command line."""

import pytest

from converge.console.command_line import Options, parse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--format json", "--format goes with --plan"),
        ("--history --format json", "--format goes with --plan"),
        ("--verify --format json", "--format goes with --plan: type --plan --exit-code instead"),
        ("--exit-code", "--exit-code goes with --plan of a run"),
        ("--rollback --plan --exit-code", "--exit-code goes with --plan of a run"),
        ("--apply plan.json --plan", "--plan goes with a run or with --rollback"),
        ("--apply plan.json --yes", "--to and --yes go with --rollback"),
        ("--apply plan.json --rollback", "argument --rollback: not allowed with argument --apply"),
        ("--plan --format yaml", "argument --format: invalid choice: 'yaml'"),
    ],
)
def test_a_mistake_says_what_goes_with_what(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2."""
    with pytest.raises(SystemExit) as caught:
        parse(arguments.split())
    assert caught.value.code == 2
    assert f"error: {message}" in capsys.readouterr().err


def test_a_plan_that_is_to_be_applied_is_a_mode_of_its_own() -> None:
    """With a file, or - for stdin."""
    assert parse(["--apply", "-"]) == Options("apply", file="-")
    plan = Options(plan=True, format="markdown", exit_code=True)
    assert parse(["--plan", "--format", "markdown", "--exit-code"]) == plan
