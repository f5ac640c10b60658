"""``recloop check``: everything about an experiment that can be told without running it; or what a log can answer."""
from . import shared


def parser():
    """The command line."""
    return shared.parser("check", "Check an experiment and print its trials, or say what a log can answer.",
                         ["experiment", "--set", *shared.LOG, "--smoke"],
                         "with --data alone: what this log can answer.  exit status: 0 fine, 2 something to mend")


def main(arguments: list[str] | None = None) -> int:
    """Everything the command does; returns the exit status."""
    args = parser().parse_args(arguments)
    if args.data and not args.experiment:
        from envs.logs.__main__ import main as check_log

        return check_log([args.data, *(["--columns", *args.columns] if args.columns else []),
                          *([f"--like={args.like}"] if args.like is not None else []),
                          *(["--as-values"] if args.as_values else [])])
    return shared.status_of(lambda: _experiment(args))


def _experiment(args) -> int:
    from ..experiment import checks, plan, reading

    name = args.experiment or "quickstart"
    e = reading.read(name, args.set, shared.log_params(args), args.smoke)
    return dry_run(e, plan.trials(e, "final"), checks.check_resources(e, name, checks.cpus(e)))


def dry_run(e, trials, resources: str) -> int:
    """The resolved experiment and its trials."""
    import yaml

    from ..experiment import checks, plan

    print(yaml.safe_dump(e.model_dump(), sort_keys=False))
    for trial in plan.trials(e, "search"):
        print(f"search  {trial.row.label:24} {e.search.trials} trials over {trial.space}")
    for trial in trials:
        print(f"final   {trial.row.label:24} seed {trial.seed_number}  {trial.budget:>10,} env steps  "
              f"{trial.spec.params}")
    print(f"resources: {resources}")
    for warning in checks.warnings(e):
        print(f"warning: {warning}")
    return 0
