"""The `tandem` command.

Rules: asking for help loads nothing but the standard library, so a command's module is imported
when that command runs; standard output carries the answer and nothing else, so `--json` can be
piped; a failure is one line of cause and one of remedy, and the exit code says who must act:
0 done, 1 failed, 2 wrong usage or settings, 3 stopped by a gate, 4 findings against integrity,
5 could not verify. A reader that goes away (`| head`) changes none of this.
"""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from components.core.errors import TandemError, WrongUsage
from components.core.quiet import be_quiet
from pipelines.cli.parser import build_parser
from pipelines.lasting_stream import lasting_output

INTERRUPTED = 1


def run() -> NoReturn:
    """Run the `tandem` script."""
    code = main(sys.argv[1:])
    if "duckdb" not in sys.modules:  # which prints what it is not given back
        gc.freeze()  # or the end of the process looks through every module for garbage, for 0.1 s
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    be_quiet()
    with lasting_output(BrokenPipeError):
        try:
            arguments = build_parser().parse_args(argv)
        except WrongUsage as error:
            return _explain(error, as_json="--json" in argv)
        except SystemExit as stop:  # after --help or --version
            return int(stop.code or 0)
        return _outcome(arguments)


def _explain(error: WrongUsage, *, as_json: bool) -> int:
    """Say what was wrong with the words, and what may be typed; nobody has parsed --json."""
    from pipelines.cli.output import print_error

    if not as_json:
        print(error.usage, end="", file=sys.stderr)
    print_error(error, as_json=as_json, verbose=False)
    return error.exit_code


def _outcome(arguments: Namespace) -> int:
    """Return the command's exit code, or that of the error it ended with."""
    try:
        return _command(arguments)
    except TandemError as error:
        return _refuse(error, arguments)
    except KeyboardInterrupt:
        print(f"interrupted; `{_list_command(arguments)}` shows what is there", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the only one: a bug of ours still ends in one line
        return _refuse(_bug(error, arguments), arguments)


def _command(arguments: Namespace) -> int:
    """Import the command's module and call it; see the parser for the names."""
    module, function = arguments.command.split(":")
    code = int(getattr(import_module(module), function)(arguments))
    sys.stdout.flush()  # an answer that the disk did not take is no answer
    return code


def _list_command(arguments: Namespace) -> str:
    from pipelines.commands import tandem
    from pipelines.home import Home, home_folder

    return tandem(Home(home_folder(arguments.home)), "runs")


def _refuse(error: TandemError, arguments: Namespace) -> int:
    from pipelines.cli.output import print_error

    print_error(error, as_json=arguments.json, verbose=arguments.verbose)
    return error.exit_code


def _bug(error: Exception, arguments: Namespace) -> TandemError:
    from pipelines.cli.output import log_bug

    return log_bug(error, arguments.home)
