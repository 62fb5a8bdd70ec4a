"""`make bench`: timed scenarios beside their limits, each in one process, in turn.

python -m benchmarks [evaluation|growth|analyses|kpi|submission|import|measure|encounters|charts|
    false_alarms|watching|effect|board|low_verdicts|training_size
    ...] [--size 1000000] [--rounds 5]

Figures are CPU time; a ratio is printed as the median of the rounds and its range, beside the
budget. It needs a quiet machine: the load is printed first and last. Each scenario has a process
and a data home of its own, which is thrown away. With `SQ_MODE=server` and its settings it is the
database there that is used; it must be an empty one, for one scenario at a time.
"""

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

SCENARIOS = (
    "evaluation",
    "growth",
    "analyses",
    "kpi",
    "submission",
    "import",
    "measure",
    "encounters",
    "charts",
    "false_alarms",
    "watching",
    "effect",
    "board",
    "low_verdicts",
    "people",
    "training_size",
    "drivers",
)


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="|".join(SCENARIOS))
    parser.add_argument("--size", type=int, help="so many responses in evaluation, or encounters")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    if len(asked.scenarios) == 1:
        return _run_alone(asked.scenarios[0], asked)
    from benchmarks.side_by_side import machine, versions

    print(f"{versions()}\n{machine()}", flush=True)
    codes = [_run_apart(scenario, asked) for scenario in asked.scenarios or SCENARIOS]
    print(f"\n{machine()}: {'every budget was kept' if not any(codes) else 'NOT ALL WAS KEPT'}")
    return max(codes)


def _run_apart(scenario: str, asked: Namespace) -> int:
    """Run the scenario in a process of its own; what one leaves behind would weigh on the next."""
    size = ["--size", str(asked.size)] if asked.size else []
    command = [sys.executable, "-m", "benchmarks", scenario, "--rounds", str(asked.rounds), *size]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - ourselves


def _run_alone(scenario: str, asked: Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="sqcore-bench-") as home:
        # Whatever home the shell or `.env` names holds somebody's data.
        os.environ["SQ_HOME"] = home
        os.environ.setdefault("SQ_MODE", "embedded")
        os.environ["DJANGO_SETTINGS_MODULE"] = "sqcore.project.settings.current"
        os.mkdir(os.path.join(home, "static"))
        return _run(scenario, asked.size, asked.rounds)


def _run(scenario: str, size: int | None, rounds: int) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks import (
        analyses,
        board,
        chart_rules,
        drivers,
        effect_check,
        encounters,
        evaluation,
        false_alarms,
        importing,
        kpi_rest,
        low_verdicts,
        measuring,
        people_results,
        submission,
        training_size,
        watching,
    )
    from benchmarks.side_by_side import machine
    from sqcore.org.models import Unit

    call_command("migrate", verbosity=0)
    if Unit.objects.exists():
        print("There are data in this database: give an empty one.", file=sys.stderr)
        return 2
    run: Callable[[], bool] = {
        "evaluation": lambda: evaluation.run(
            [size] if size else [10_000, 100_000, 1_000_000], rounds
        ),
        "growth": lambda: evaluation.growth([10_000, 100_000, 1_000_000], rounds),
        "analyses": lambda: analyses.run(size),
        "kpi": lambda: kpi_rest.run(rounds),
        "submission": lambda: submission.run(rounds),
        "import": importing.run,
        "measure": measuring.run,
        "encounters": lambda: encounters.run(size),
        "charts": lambda: chart_rules.run(rounds),
        "false_alarms": false_alarms.run,
        "watching": watching.run,
        "effect": effect_check.run,
        "board": board.run,
        "people": people_results.run,
        "training_size": training_size.run,
        "low_verdicts": low_verdicts.run,
        "drivers": lambda: drivers.run(rounds),
    }[scenario]
    kept = run()
    print(f"  ({machine()})", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
