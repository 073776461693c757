"""`tandem schema infer`, `import-tfx`, `review` and `update`.

Rules: progress goes to standard error, the answer to standard output; texts that a domain lacks are
shown on a person's own terminal alone, never in plain lines or JSON; a schema is written beside and
renamed, over another only with --force or by an update that a person confirmed.
"""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.core.errors import PlatformError, SettingsError
from components.core.words import counted
from pipelines.cli.output import print_json
from pipelines.commands import program

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    from pipelines.schema_life.difference import Difference
    from pipelines.schema_life.proposal import Proposal
    from pipelines.schema_life.use_case import UseCase

STOPPED = 3
TFX_NAME = "schema.pbtxt"


def infer(arguments: Namespace) -> int:
    """Write the first schema of a use case, and say what of these very rows it cannot let pass."""
    from pipelines.schema_life.use_case import find_use_case
    from pipelines.schema_life.window_data import window_data

    use_case = find_use_case(arguments.name, arguments.window)
    path = Path(arguments.output) if arguments.output else use_case.schema_path
    _require_free(path, arguments.force)
    with window_data(use_case, _say) as data:
        from pipelines import schema_text
        from pipelines.schema_life import change
        from pipelines.schema_life.difference import differences

        schema = change.infer(data)
        if arguments.ranges:
            schema = change.with_ranges(schema, data)
        left = differences(data, schema, use_case.settings.checks)
        origin = f"inferred by TFDV\nfrom {use_case.spans}"
        _write(path, schema_text.write(schema, _comment(use_case, origin)))
    if arguments.json:
        said = {"file": str(path), "features": len(schema.feature), "rows": data.manifest.rows}
        print_json(said | {"differences_left": [difference.to_dict() for difference in left]})
        return 0
    said_of = counted(len(schema.feature), "feature"), counted(data.manifest.rows, "row")
    print(f"{path}: {said_of[0]}, from {said_of[1]}")
    print("read it and correct it: it says what these rows hold, not what a row may hold")
    if left:
        _show(left, "what no schema lets pass in these rows")
    return 0


def _comment(use_case: UseCase, origin: str) -> str:
    """Return what the first lines of a new schema say to who reads it."""
    return (
        f"What an example of {use_case.settings.name} may hold: TFMD's schema, {origin}. "
        "A run reads it and never changes it.\n"
        "\n"
        "To be corrected by a person: a domain lists the texts that were there, a column that was\n"
        "complete may not miss a value, and a number without a domain may be any.\n"
        "`tandem schema review` says where data differs from it."
    )


def import_tfx(arguments: Namespace) -> int:
    """Write the first schema of a use case of one that TFX wrote; no row is read."""
    from pipelines import schema_text
    from pipelines.schema_life.from_tfx import schema_of_examples
    from pipelines.schema_life.use_case import find_use_case

    use_case = find_use_case(arguments.name, None)
    path = Path(arguments.output) if arguments.output else use_case.schema_path
    _require_free(path, arguments.force)
    given = Path(arguments.schema)
    stock = schema_text.read_schema(given / TFX_NAME if given.is_dir() else given)
    schema = schema_of_examples(stock, use_case.settings.source)
    _write(path, schema_text.write(schema, _comment(use_case, "made of\none that TFX wrote")))
    before, after = ({feature.name for feature in of.feature} for of in (stock, schema))
    said = {"left_out": sorted(before - after), "added": sorted(after - before)}
    if arguments.json:
        print_json({"file": str(path), "features": len(schema.feature)} | said)
        return 0
    words = (
        f"{key.replace('_', ' ')}: {', '.join(names) or 'none'}" for key, names in said.items()
    )
    print(f"{path}: {counted(len(schema.feature), 'feature')}; {'; '.join(words)}")
    return 0


def review(arguments: Namespace) -> int:
    """Say where data and schema differ; 3 where that would stop a run."""
    from pipelines.schema_life.use_case import find_use_case, require_schema
    from pipelines.schema_life.window_data import window_data
    from pipelines.schema_text import read_schema

    use_case = find_use_case(arguments.name, arguments.window)
    path = require_schema(use_case, _infer_command(arguments))
    schema = read_schema(path)
    with window_data(use_case, _say) as data:
        from pipelines.schema_life.difference import differences

        found = differences(data, schema, use_case.settings.checks, arguments.environment)
    stopped = any(difference.stops for difference in found)
    if arguments.json:
        print_json(
            {
                "schema": str(path),
                "rows": data.manifest.rows,
                "differences": [difference.to_dict() for difference in found],
                "stops_a_run": stopped,
            }
        )
    else:
        _show(found, f"{path} against {data.manifest.rows} rows of {use_case.spans}")
    return STOPPED if stopped else 0


def update(arguments: Namespace) -> int:
    """Change the schema to what the data says, for the features named, once that is confirmed."""
    from pipelines.schema_life.use_case import find_use_case, require_schema
    from pipelines.schema_life.window_data import window_data
    from pipelines.schema_text import read_schema

    _require_choice(arguments)
    use_case = find_use_case(arguments.name, arguments.window)
    path = require_schema(use_case, _infer_command(arguments))
    schema = read_schema(path)
    with window_data(use_case, _say) as data:
        from pipelines.schema_life.proposal import propose

        proposal = propose(data, schema, use_case.settings.checks, arguments.features)
        if not arguments.json:
            title = f"{path} against {data.manifest.rows} rows of {use_case.spans}"
            _show_proposal(proposal, title, arguments.features)
        if proposal.chosen and not (arguments.yes or _confirmed(path)):
            print("nothing was changed")
            return 0
        changed, left = proposal.applied()
    if proposal.chosen:
        _write_change(path, changed)
    _tell_change(path, proposal, left, as_json=arguments.json)
    return 0


def _show_proposal(proposal: Proposal, title: str, asked: Sequence[str]) -> None:
    _show(proposal.chosen, title)
    if same := sorted(set(asked) - proposal.names):
        print(f"data and schema say the same of {', '.join(same)}: nothing to change there")


def _write_change(path: Path, changed: Schema) -> None:
    from pipelines import schema_text

    _write(path, schema_text.change(path.read_text(encoding="utf-8"), changed))


def _tell_change(
    path: Path, proposal: Proposal, left: Sequence[Difference], *, as_json: bool
) -> None:
    names = proposal.changing(left)
    if as_json:
        differences = [difference.to_dict() for difference in left]
        print_json({"schema": str(path), "changed": names, "differences_left": differences})
    elif proposal.chosen and not names:
        print("no schema lets this pass: nothing was changed")
    elif names:
        print(f"changed {', '.join(names)}; differences left: {len(left)}")
        print("read the change (`git diff`) and have it reviewed before a run uses it")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(path: Path, text: str) -> None:
    """Write a file beside and rename it."""
    from components.core.artifacts import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be written: {error.strerror}", remedy="name another file with -o"
        ) from error


def _require_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise SettingsError(
            f"{path} is there already", remedy="--force writes over it, -o names another file"
        )
    if path.is_dir():
        raise SettingsError(f"{path} is a folder", remedy="name a file")


def _infer_command(arguments: Namespace) -> str:
    return f"{program('tandem')} {shlex.join(['schema', 'infer', arguments.name])}"


def _show(found: Sequence[Difference], title: str) -> None:
    from pipelines.schema_life.review import print_differences

    print_differences(found, title, sys.stdout)


def _require_choice(arguments: Namespace) -> None:
    """Refuse what could only fail after all the data was read."""
    if bool(arguments.features) == arguments.all:
        raise SettingsError(
            "update which features?", remedy="name them with --feature, or all with --all"
        )
    if not arguments.yes and (arguments.json or not sys.stdin.isatty()):
        raise SettingsError(
            "nobody is there to confirm the change", remedy="add --yes once you know what it is"
        )


def _confirmed(path: Path) -> bool:
    return input(f"change {path}? [y/N] ").strip().lower() in ("y", "yes")
