"""Six stages that do nothing, two of them beside each other: what the executor itself costs."""

import sys

from kfp import compiler, dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def first(result: dsl.Output[dsl.Artifact]) -> None:
    """Write one file."""
    from pathlib import Path

    Path(result.path).mkdir(parents=True, exist_ok=True)
    Path(result.path, "done").write_text("first")


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def then(before: dsl.Input[dsl.Artifact], result: dsl.Output[dsl.Artifact]) -> None:
    """Write one file after another stage."""
    from pathlib import Path

    Path(result.path).mkdir(parents=True, exist_ok=True)
    Path(result.path, "done").write_text(Path(before.path, "done").read_text())


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def join(
    left: dsl.Input[dsl.Artifact], right: dsl.Input[dsl.Artifact], result: dsl.Output[dsl.Artifact]
) -> None:
    """Write one file after two branches."""
    from pathlib import Path

    Path(result.path).mkdir(parents=True, exist_ok=True)
    Path(result.path, "done").write_text(left.name + right.name)


@dsl.pipeline(name="empty")
def empty() -> None:
    """Wire one stage, one more, two branches, their join and one more."""
    one = then(before=first().outputs["result"])
    left = then(before=one.outputs["result"])
    right = then(before=one.outputs["result"])
    both = join(left=left.outputs["result"], right=right.outputs["result"])
    then(before=both.outputs["result"])


def main() -> int:
    """Compile to the path given."""
    compiler.Compiler().compile(empty, sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
