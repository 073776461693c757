"""`tandem audit verify` and `tandem audit trace`: the log on the disk, without a notary."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from pipelines.cli.output import print_json
from pipelines.home import Home

if TYPE_CHECKING:
    from components.audit.verify import Verified


def verify(arguments: Namespace) -> int:
    """Say everything that is wrong with the log and with the runs' artifacts; 4 if anything is."""
    from dataclasses import asdict

    from components.audit.findings import exit_code
    from components.audit.verify import verify as verify_home

    home = Home.at(arguments.home)
    verified = verify_home(home.folder, home.runs if home.runs.is_dir() else None)
    if arguments.json:
        print_json({"home": str(home.folder), **asdict(verified)})
        return exit_code(verified.findings)
    for finding in verified.findings:
        print(f"{finding.check}: {finding.where}: {finding.message}")
    print(_verdict(verified))
    return exit_code(verified.findings)


def _verdict(verified: Verified) -> str:
    """Say the result, and of how much it speaks."""
    found = len(verified.findings)
    result = f"findings: {found}" if found else "the log verifies: no finding"
    there = verified.runs - len(verified.runs_without_folder)
    return (
        f"{result} in {verified.records} records; artifacts of {there} of {verified.runs} runs "
        "re-hashed, the registry's copies are not part of this check"
    )


def trace(arguments: Namespace) -> int:
    """Show the records behind a model's version, from its data on."""
    from components.audit.trace import trace as trace_model

    found = trace_model(Home.at(arguments.home).folder, arguments.model)
    if arguments.json:
        print_json(found.to_dict())
    else:
        print(found.to_text())
    return 0
