"""Small components that write files, for pipelines of the tests; compiled by the real kfp.

`place` is a folder for what a face does on the side; a FIFO in it lets faces and tests wait for
each other without a clock: opening one blocks until its other end is opened too.
"""

from kfp import dsl

face = dsl.component(base_image="python:3.11", install_kfp_package=False)


@face
def make(place: str, text: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Write a folder, and a line to the list of everything that ran."""
    from pathlib import Path

    Path(made.path).mkdir()
    Path(made.path, "text").write_text(text)
    made.metadata["words"] = len(text.split())
    with Path(place, "ran").open("a") as stream:
        stream.write(f"make {text}\n")


@face
def copy(place: str, made: dsl.Input[dsl.Dataset], copied: dsl.Output[dsl.Dataset]) -> None:
    """Copy a folder with its metadata."""
    import shutil
    from pathlib import Path

    shutil.copytree(made.path, copied.path)
    copied.metadata.update(made.metadata)
    with Path(place, "ran").open("a") as stream:
        stream.write("copy\n")


@face
def meet_first(place: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Wait until the other one is there."""
    from pathlib import Path

    with Path(place, "there").open("w"), Path(place, "back").open():
        Path(made.path).mkdir()


@face
def meet_second(place: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Wait until the other one is there."""
    from pathlib import Path

    with Path(place, "there").open(), Path(place, "back").open("w"):
        Path(made.path).mkdir()


@face
def fail(kind: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Fail as an error of ours, or as any other."""
    from components.core import errors

    if kind in errors.KINDS:
        raise errors.KINDS[kind]("it went wrong", remedy="mend it")
    raise ZeroDivisionError("it went wrong")


@face
def fail_below(
    kind: str, attempts: int, made: dsl.Input[dsl.Dataset], copied: dsl.Output[dsl.Dataset]
) -> None:
    """Fail in the given way until that many attempts have been made."""
    import os
    import signal
    from pathlib import Path

    from components.core.errors import DataError, OutOfMemoryError, PlatformError

    if int(os.environ["TANDEM_ATTEMPT"]) < attempts:
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "server killed":
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        if kind == "exits":
            os._exit(7)
        kinds = {"platform": PlatformError, "memory": OutOfMemoryError, "data": DataError}
        error = kinds[kind]
        raise error("not yet", remedy="wait")
    Path(copied.path).mkdir()


@face
def hold(
    place: str,
    deaf: bool,
    made: dsl.Input[dsl.Dataset],
    copied: dsl.Output[dsl.Dataset],
) -> None:
    """At the first attempt, say through the FIFO `held` that it runs, and stay until killed."""
    import os
    import signal
    import tempfile
    from pathlib import Path

    tempfile.mkstemp()  # which it never removes

    if os.environ["TANDEM_ATTEMPT"] == "1":
        if deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with Path(place, "held").open("w") as stream:
            stream.write(f"{os.getpid()}\n")
            stream.flush()
            while True:
                signal.pause()
    Path(copied.path).mkdir()


@face
def tell(made: dsl.Output[dsl.Dataset]) -> None:
    """Write down the environment."""
    import json
    import os
    from pathlib import Path

    Path(made.path).mkdir()
    Path(made.path, "environment.json").write_text(json.dumps(dict(os.environ)))
    print("told", end="")  # noqa: T201 - for the task's log


@face
def describe(name: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Give an output the metadata of a cache hit."""
    from pathlib import Path

    Path(made.path).mkdir()
    made.metadata["cached"] = True


@face
def leave(place: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Start a process that would outlive the task, holding the FIFO `held` open for writing."""
    import subprocess
    import sys
    from pathlib import Path

    Path(made.path).mkdir()
    code = "import signal, sys; out = open(sys.argv[1], 'w'); print(1, file=out, flush=True); "
    code += "signal.pause()"
    subprocess.Popen([sys.executable, "-c", code, str(Path(place, "held"))])
    Path(place, "back").read_text()


@face
def train_pytorch(made: dsl.Output[dsl.Dataset]) -> None:
    """Write down whether PyTorch was there before; the name is that of a stage."""
    import sys
    from pathlib import Path

    Path(made.path).write_text(str("torch" in sys.modules))


@face
def witness(
    place: str,
    count: int,
    share: float,
    flag: bool,
    nested: dict,
    words: list,
    made: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    file: dsl.Output[dsl.Artifact],
    default: str = "left out",
) -> None:
    """Write down everything that a face can see of what it was given."""
    import json
    from pathlib import Path

    seen = {
        port.name: [type(port).__name__, port.path == port.uri, Path(port.uri).name, port.metadata]
        for port in (made, model, file)
    }
    seen["found"] = sorted(path.name for path in Path(made.path).iterdir())
    seen["exist"] = [Path(port.path).exists() for port in (model, file)]
    seen["parent exists"] = [Path(port.path).parent.is_dir() for port in (model, file)]
    seen["values"] = [
        [type(value).__name__, value] for value in (count, share, flag, nested, words, default)
    ]
    Path(model.path).mkdir()
    Path(model.path, "weights").write_text("1 2 3")
    Path(file.path).write_text("a single file")
    model.metadata["deep"] = {"list": [1, 2.5, "three"], "none": None}
    model.framework = "toy"
    Path(place, f"seen-{count}.json").write_text(json.dumps(seen, sort_keys=True))


@face
def read(
    place: str,
    model: dsl.Input[dsl.Model],
    file: dsl.Input[dsl.Artifact],
    made: dsl.Output[dsl.HTML],
) -> None:
    """Write down what came out of the witness."""
    import json
    from pathlib import Path

    text = [Path(model.path, "weights").read_text(), Path(file.path).read_text()]
    Path(made.path).write_text("read")
    seen = [text, model.metadata, file.metadata, model.framework, type(made).__name__]
    Path(place, "read.json").write_text(json.dumps(seen, sort_keys=True))


@face
def note(place: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Write down the final status."""
    import json
    from pathlib import Path

    told = [status.state, status.pipeline_task_name, status.error_code, status.error_message]
    Path(place, "status.json").write_text(json.dumps(told))


@face
def seal(run: dict, status: dsl.PipelineTaskFinalStatus, closing: dsl.Output[dsl.Artifact]) -> None:
    """Write down what became of the others."""
    import json
    from pathlib import Path

    told = [status.state, status.error_message, status.pipeline_job_resource_name]
    Path(closing.path).mkdir()
    Path(closing.path, "closing.json").write_text(json.dumps(told))
