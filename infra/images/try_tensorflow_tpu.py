"""Build the image of the TensorFlow trainer for TPUs, and train in it on the CPU: [RUN].

Run by `make try-tpu-image` as root, with buildah; the base is the image that BASE names, or a
Debian 13 that mmdebstrap makes here.

Rules: what is trained are the features of the newest run (or RUN's), with its settings, by the
image's user, through the pipeline's own step; the bundle that comes out is opened here, its digests
and proofs checked, and its AUC on the evaluation rows compared with that of the run's own. Nothing
of this was ever run on a TPU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import IntegrityError, PlatformError, SettingsError, TandemError
from components.core.examples import ExamplesManifest, read_split
from components.evaluate_models.ranking import Flags, auc
from pipelines.home import Home
from pipelines.runs import LATEST, RecordedRun, find_ended

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).with_name("tensorflow-tpu")
IMAGE = "localhost/tandem-tensorflow-tpu"
MADE_BASE = "localhost/tandem-debian:13"
PACKAGES = "ca-certificates,python3,python3-venv"
# Two releases of TensorFlow add in other orders, and steps of float32 carry that further, as
# between two frameworks: single predictions drift apart, the order of the rows hardly.
AUC_TOLERANCE = 0.01
# A host that inspects TLS has its own authorities; the image keeps its own.
AUTHORITIES = "/etc/ssl/certs:/etc/ssl/certs:ro"


def main(arguments: list[str]) -> int:
    """Build, train and compare; return 0, or 1 with one line of cause and remedy."""
    try:
        run = find_ended(Home.at(None), arguments[0] if arguments else LATEST)
        _require("buildah")
        _build(os.environ.get("BASE") or _base())
        with tempfile.TemporaryDirectory(prefix="tandem-tpu-") as folder:
            bundle = _train(run, Path(folder))
            return _compare(run, bundle)
    except TandemError as error:
        print(f"tandem: {error.message}; {error.remedy}", file=sys.stderr)
        return 1


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise SettingsError(
            f"{program} is not installed", remedy=f"apt-get install {program}, then try again"
        )


def _buildah(*words: str | Path) -> str:
    """Run buildah without an overlay of its own, which a container may not have; show its lines."""
    command = ["buildah", "--storage-driver", "vfs", *map(str, words)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise PlatformError(
            f"buildah {words[0]} ended with {ended.returncode}; its message is above",
            remedy="mend the cause and run the same command again",
        )
    return ended.stdout.strip()


def _base() -> str:
    """Return the name of a Debian 13 made here, once."""
    known = _buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
    if MADE_BASE not in known:
        _require("mmdebstrap")
        print("base: Debian 13 by mmdebstrap", flush=True)
        with tempfile.TemporaryDirectory(prefix="tandem-base-") as folder:
            _make_base(Path(folder))
    return MADE_BASE


def _make_base(folder: Path) -> None:
    root = folder / "root.tar"
    make = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "trixie", root]
    subprocess.run(make, check=True)
    recipe = folder / "Containerfile"
    recipe.write_text("FROM scratch\nADD root.tar /\n")
    _buildah("bud", "--quiet", "--tag", MADE_BASE, "--file", recipe, folder)


def _build(base: str) -> None:
    print(f"image: {IMAGE} from {base}", flush=True)
    _buildah(
        *("bud", "--quiet", "--isolation", "chroot", "--volume", AUTHORITIES),
        *("--build-arg", f"BASE={base}", "--tag", IMAGE, "--file", HERE / "Containerfile", ROOT),
    )


def _train(run: RecordedRun, folder: Path) -> Path:
    """Train in the image what `run` trained; return the bundle that comes out."""
    given, made = folder / "given", folder / "made"
    transformed = run.tasks["transform-features"].outputs
    for name in ("features", "transform_graph"):
        shutil.copytree(run.folder / transformed[name].path, given / name)
    shutil.copy(run.folder / "settings.json", given)
    shutil.copy(HERE / "training.py", given)
    made.mkdir()
    for path in (folder, made):
        path.chmod(0o777)  # the image's user is nobody here
    container = _buildah("from", IMAGE)
    try:
        print(_in_container(container, given, made), flush=True)
    finally:
        _buildah("rm", container)
    kept = ROOT / "build" / "tensorflow-tpu"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(made / "bundle", kept)
    return kept


def _in_container(container: str, given: Path, made: Path) -> str:
    # Without a TPU nobody answers what libtpu asks the machine's metadata server.
    alone = ("--env", "TPU_SKIP_MDS_QUERY=1", "--env", "TPU_WORKER_HOSTNAMES=localhost")
    volumes = ("--volume", f"{given}:/given:ro", "--volume", f"{made}:/made")
    work: Sequence[str] = ("python", "/given/training.py", "/given", "/made")
    return _buildah("run", "--isolation", "chroot", *alone, *volumes, container, "--", *work)


def _compare(run: RecordedRun, folder: Path) -> int:
    """Compare the bundle's AUC with that of the run's own; raise where they differ."""
    own = run.folder / run.tasks["train-tensorflow"].outputs["tensorflow_model"].path
    examples = run.folder / run.tasks["ingest-examples"].outputs["examples"].path
    rows = read_split(examples, "eval")
    positive = rows[ExamplesManifest.read(examples).label].to_numpy() == 1
    there, here = (_auc(path, rows, positive) for path in (folder, own))
    print(f"{folder.relative_to(ROOT)}: AUC {there:.4f}, the run's {here:.4f}, {len(rows)} rows")
    if not abs(there - here) <= AUC_TOLERANCE:
        raise IntegrityError(
            "the model trained in the image is not as good as the run's, or better",
            remedy="compare the versions of its lock with those of the environment",
            expected=here,
            actual=there,
        )
    return 0


def _auc(folder: Path, rows: pa.Table, positive: Flags) -> float:
    found = auc(positive, OnnxScorer(Bundle.open(folder), 1).predict(rows).astype(float), 2.0)
    return found.value if found else float("nan")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
