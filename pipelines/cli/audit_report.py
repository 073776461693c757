"""`tandem audit report`: a registered version by an auditor's template, as one static page."""

from __future__ import annotations

import re
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.cli.output import print_json
from pipelines.home import Home

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._@-]")


def report(arguments: Namespace) -> int:
    """Write the report of a version; 4 where the log has findings, which the page shows first."""
    from components.approvals.trail import Trail
    from components.audit.completeness import no_version_omitted, refusing_with_citation
    from components.audit.findings import exit_code
    from pipelines.audit_report import audit_report, page, verdict
    from pipelines.cli.registry_session import registered_version
    from pipelines.page import write_page

    home = Home.at(arguments.home)
    trail = Trail(home.folder)
    with no_version_omitted(home.folder, trail.log):
        version = registered_version(trail, home, arguments.version)
    today = datetime.now(UTC).date()
    with refusing_with_citation(home.folder):
        made = audit_report(home, trail, version, arguments.template, today)
    name = f"{version.model}@{version.version}-{arguments.template}.html"
    path = Path(arguments.output or _NOT_IN_A_NAME.sub("_", name))
    write_page(path, page(made), "name another file with -o")
    if arguments.json:
        print_json({**made.to_dict(), "file": str(path)})
    else:
        print("\n".join([*verdict(made), f"\ncovered by checkpoint:\n{trail.log.checkpoint}"]))
        print(f"report      {path}")
    return exit_code(made.verified.findings)
