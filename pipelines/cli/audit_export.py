"""`tandem audit export`: write the file that an auditor takes away."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from components.core.errors import PlatformError
from pipelines.cli.output import print_json
from pipelines.cli.output_file import require_file_name
from pipelines.home import Home


def export(arguments: Namespace) -> int:
    """Write a version's records, proofs and verifier into one file, beside and renamed."""
    from components.audit.completeness import no_version_omitted, refusing_with_citation
    from components.audit.findings import exit_code
    from components.audit.verified_log import VerifiedLog
    from components.audit.version_findings import version_findings
    from components.register_models.logbook import Logbook
    from pipelines.audit_export import export as make
    from pipelines.cli.audit_answers import release_named

    home, path = Home.at(arguments.home), Path(arguments.output)
    require_file_name(path)
    log = VerifiedLog.of(home.folder)
    with no_version_omitted(home.folder, log):
        release = release_named(Logbook.of(log), arguments.version)
    with refusing_with_citation(home.folder):
        made = make(home, log, release)
        findings = version_findings(log, [release.record])
    beside = path.with_name(f".{path.name}.unfinished")
    try:
        beside.write_bytes(made.data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise PlatformError(
            f"{path} cannot be written: {error.strerror}", remedy="free disk space, or name another"
        ) from error
    if arguments.json:
        found = [finding.to_dict() for finding in findings]
        print_json({"file": str(path), **made.to_dict(), "findings": found})
        return exit_code(findings)
    for name, why in made.absent.items():
        print(f"not in it: {name} ({why})")
    print(
        f"{path}: {made.records} records of {made.release.model}@{made.release.version}, "
        f"registered by record {made.release.index} ({made.release.record})"
    )
    for finding in findings:
        print(finding.to_text())
    print(f"verify it anywhere: unpack it, then python verify.py (key {log.key.keyid})")
    print(f"\ncovered by checkpoint:\n{log.checkpoint}")
    return exit_code(findings)
