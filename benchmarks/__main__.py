"""`make bench`: timed scenarios beside their limits, each in one process, in turn.

python -m benchmarks [evaluation|kpi|submission|import ...] [--size 1000000] [--rounds 5]

Figures are CPU time; a ratio is printed as the median of the rounds and its range, beside the
budget. It needs a quiet machine: the load is printed first. Data lie in a home of the benchmark's
own, which is thrown away.
"""

import os
import sys
import tempfile
from argparse import ArgumentParser

SCENARIOS = ("evaluation", "kpi", "submission", "import")


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="|".join(SCENARIOS))
    parser.add_argument("--size", type=int, help="only this many responses in evaluation")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="sqcore-bench-") as home:
        os.environ.setdefault("SQ_HOME", home)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sqcore.project.settings.current")
        return _run(asked.scenarios or list(SCENARIOS), asked.size, asked.rounds)


def _run(scenarios: list[str], size: int | None, rounds: int) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks import evaluation, importing, kpi_rest, submission
    from benchmarks.side_by_side import machine

    call_command("migrate", verbosity=0)
    print(machine())
    sizes = [size] if size else [10_000, 100_000, 1_000_000]
    kept = True
    if "evaluation" in scenarios:
        kept &= evaluation.run(sizes, rounds)
    if "kpi" in scenarios:
        kept &= kpi_rest.run(rounds)
    if "submission" in scenarios:
        kept &= submission.run(rounds)
    if "import" in scenarios:
        kept &= importing.run()
    print(machine())
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
