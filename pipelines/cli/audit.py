"""`tandem audit verify` and `tandem audit trace`: the log on the disk, without a notary."""

from __future__ import annotations

from argparse import Namespace

from pipelines.cli.output import print_json
from pipelines.home import Home


def verify(arguments: Namespace) -> int:
    """Say everything that is wrong with the log and with the runs' artifacts; 4 if anything is."""
    from components.audit.verify import exit_code, verify_log

    home = Home.at(arguments.home)
    findings = verify_log(home.folder, home.runs if home.runs.is_dir() else None)
    if arguments.json:
        print_json({"home": str(home.folder), "findings": [f.to_dict() for f in findings]})
        return exit_code(findings)
    for finding in findings:
        print(f"{finding.check}: {finding.where}: {finding.message}")
    print(f"{len(findings)} findings" if findings else "the log verifies: no finding")
    return exit_code(findings)


def trace(arguments: Namespace) -> int:
    """Show the records behind a model's version, from its data on."""
    from components.audit.trace import trace as trace_model

    found = trace_model(Home.at(arguments.home).folder, arguments.model)
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(found.to_text())
    return 0
