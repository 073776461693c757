"""What can be typed after `tandem audit` to ask the log. Standard library only.

`add` is the parser's way to add a command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.cli.audit_keys_parser import add_despite
from pipelines.cli.filled import filled

MODULE = "pipelines.cli.audit_answers"
_ELSE = "default: what TANDEM_SUBJECT_KEY names, or TANDEM_SUBJECT_KEY_HEX holds"
VERSION_HELP = "a number or an alias, by the log, of the only model, or NAME@ and one of these"
DAY_HELP = "a day (UTC) as 2027-01-31, or a moment as 2027-01-31T12:00:00Z"


def add_answers(below: Any, add: Callable[..., Any]) -> None:
    """Add the commands that answer an auditor's questions, in the order in which help has them."""
    _add_impact(below, add)
    _add_forget(below, add)
    _add_erase(below, add)
    _add_gates(below, add)
    _add_diff(below, add)
    _add_export(below, add)
    _add_notary(below, add)
    _add_inventory(below, add)
    _add_reconcile(below, add)
    _add_reproduce(below, add)
    _add_openlineage(below, add)


def _add_impact(below: Any, add: Callable[..., Any]) -> None:
    """Add `impact`: which models saw this data."""
    impact = add(
        below,
        "impact",
        f"{MODULE}:impact",
        "list the registered models that saw a dataset or a span",
        "tandem audit impact 2013-05",
    )
    impact.add_argument(
        "what",
        nargs="?",
        type=filled,
        metavar="DATASET|SPAN",
        help="a use case, a source file by location or name, a sha256 of a file, of a data card or "
        "of examples, a span, a day, or FIRST:LAST",
    )
    impact.add_argument(
        "--subject", metavar="ID", help="whose rows instead, by the erasable index of subjects"
    )
    impact.add_argument("--key", metavar="FILE", help=f"the key of that index ({_ELSE})")


def _add_forget(below: Any, add: Callable[..., Any]) -> None:
    """Add `forget`: a subject's rows are found no more."""
    forget = add(
        below,
        "forget",
        f"{MODULE}:forget",
        "erase a subject from the indexes of subjects; the log stays as it is",
        "tandem audit forget --subject P1 --key subjects.key",
    )
    forget.add_argument("--subject", metavar="ID", required=True, help="whom")
    forget.add_argument("--key", metavar="FILE", help=f"the key of the indexes ({_ELSE})")


def _add_erase(below: Any, add: Callable[..., Any]) -> None:
    """Add `erase`: a run's artifacts are gone, and the log says so."""
    erase = add(
        below,
        "erase",
        "pipelines.cli.audit_erase:erase",
        "erase artifacts of a run, its statistics say, and record that; the log verifies as before",
        "tandem audit erase latest statistics --reason 'request of 12 May'",
    )
    erase.add_argument("run", metavar="RUN", help="a run's id, its beginning, or latest")
    erase.add_argument("outputs", metavar="ARTIFACT", nargs="+", help="what: statistics, examples")
    erase.add_argument("--reason", metavar="TEXT", required=True, help="why, for the record")
    add_despite(erase)


def _add_gates(below: Any, add: Callable[..., Any]) -> None:
    """Add `gates`: what was judged, and how."""
    gates = add(
        below,
        "gates",
        f"{MODULE}:gates",
        "list the gates that were judged, with value, threshold and result",
        "tandem audit gates --failed --since 2026-01-01",
    )
    gates.add_argument(
        "--failed", action="store_true", help="only those that did not pass, waived ones too"
    )
    gates.add_argument("--since", metavar="DATE", help=f"not before {DAY_HELP}")
    gates.add_argument("--until", metavar="DATE", help=f"not after {DAY_HELP}")


def _add_diff(below: Any, add: Callable[..., Any]) -> None:
    """Add `diff`: what differs between two versions."""
    diff = add(
        below,
        "diff",
        f"{MODULE}:diff",
        "say what differs between two versions: data, code, settings, gates, people",
        "tandem audit diff flights-late@1 flights-late@2",
    )
    diff.add_argument("one", metavar="V1", help=VERSION_HELP)
    diff.add_argument("two", metavar="V2", help=VERSION_HELP)


def _add_export(below: Any, add: Callable[..., Any]) -> None:
    """Add `export`: a version's evidence in one file."""
    export = add(
        below,
        "export",
        "pipelines.cli.audit_export:export",
        "write a version's records, proofs and a verifier into one file, to be verified anywhere",
        "tandem audit export flights-late@1 -o flights-late-1.zip",
    )
    export.add_argument("version", metavar="MODEL@VERSION", help=VERSION_HELP)
    export.add_argument("-o", "--output", metavar="FILE", required=True, help="a zip")


def _add_notary(below: Any, add: Callable[..., Any]) -> None:
    """Add `notary`: the one that serves stages elsewhere."""
    notary = add(
        below,
        "notary",
        "pipelines.cli.audit_notary:notary",
        "serve this home's notary to stages on other machines",
        "tandem audit notary --listen 127.0.0.1:8765",
    )
    notary.add_argument("--listen", metavar="HOST:PORT", required=True, help="port 0 is any")
    notary.add_argument("--tls-certificate", metavar="FILE", help="PEM, with its chain")
    notary.add_argument("--tls-key", metavar="FILE", help="PEM, not encrypted")
    notary.add_argument(
        "--kubernetes",
        action="store_true",
        help="have the cluster review each stage's ServiceAccount token (TokenReview)",
    )
    notary.add_argument(
        "--audience",
        default="tandem-notary",
        help="the audience of the tokens; empty: the cluster's own (default: %(default)s)",
    )
    notary.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="a ServiceAccount that may hand in records; may be repeated",
    )
    notary.add_argument(
        "--reconciler",
        action="append",
        default=[],
        metavar="NAMESPACE/NAME",
        help="one that may close what runs of other accounts left open; may be repeated",
    )


def _add_inventory(below: Any, add: Callable[..., Any]) -> None:
    """Add `inventory`: what was in use at a moment."""
    inventory = add(
        below,
        "inventory",
        f"{MODULE}:inventory",
        "say which versions were in use at a moment, with aliases and approvals",
        "tandem audit inventory --at 2026-12-31",
    )
    inventory.add_argument("--at", metavar="DATE", required=True, help=DAY_HELP)


def _add_reconcile(below: Any, add: Callable[..., Any]) -> None:
    """Add `reconcile`: the log against what a crash left, and against MLflow."""
    add(
        below,
        "reconcile",
        "pipelines.cli.reconciling:reconcile",
        "close what a crash left open, and compare MLflow with the log",
        "tandem audit reconcile",
    )


def _add_reproduce(below: Any, add: Callable[..., Any]) -> None:
    """Add `reproduce`: make a version again."""
    reproduce = add(
        below,
        "reproduce",
        "pipelines.cli.reproduce:reproduce",
        "say whether what a version was made from is here; make it again and compare",
        "tandem audit reproduce flights-late@1 --run",
    )
    reproduce.add_argument("version", metavar="MODEL@VERSION", help=VERSION_HELP)
    reproduce.add_argument(
        "--run", action="store_true", help="make the run again and compare every artifact"
    )
    reproduce.add_argument(
        "--into",
        metavar="DIR",
        help="the new state folder that --run works in, which is then kept (default: a temporary "
        "one)",
    )


def _add_openlineage(below: Any, add: Callable[..., Any]) -> None:
    """Add `openlineage`: the lineage for other tools."""
    lineage = add(
        below,
        "openlineage",
        "pipelines.cli.openlineage:openlineage",
        "write or send the lineage as OpenLineage events, made from the records",
        "tandem audit openlineage flights-late@1 -o events.jsonl",
    )
    lineage.add_argument(
        "what",
        nargs="?",
        type=filled,
        metavar="RUN|MODEL@VERSION",
        help="a run of the log, or a version and all that stands behind it (default: everything)",
    )
    lineage.add_argument("-o", "--output", metavar="FILE", help="a file, one JSON object a line")
    lineage.add_argument(
        "--url",
        metavar="URL",
        help="a server of OpenLineage; at /api/v1/lineage unless said",
    )
    lineage.add_argument("--api-key-file", metavar="FILE", help="holds the server's key, if any")
    lineage.add_argument(
        "--namespace", metavar="NAME", default="tandem", help="of jobs and artifacts (tandem)"
    )
