"""Build the image of the TensorFlow trainer for TPUs, and train in it on the CPU: [RUN].

Run by `make try-tpu-image` as root, with buildah; the base is the image that BASE names, or a
Debian 13 that mmdebstrap makes here.

Rules: what is trained are the features of the newest run (or RUN's), with its settings, by the
image's user, through the pipeline's own step; the bundle that comes out is opened here, its digests
and proofs checked, and its AUC on the evaluation rows compared with that of the run's own. Nothing
of this was ever run on a TPU.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from building import ROOT, build, container_of, run_in

from components.core.bundle import Bundle, OnnxScorer
from components.core.errors import IntegrityError, TandemError
from components.core.examples import ExamplesManifest, read_split
from components.evaluate_models.ranking import Flags, auc
from pipelines.home import Home
from pipelines.runs import LATEST, RecordedRun, find_ended

TRAINING = Path(__file__).parent / "tensorflow" / "training.py"
# Two releases of TensorFlow add in other orders, and steps of float32 carry that further, as
# between two frameworks: single predictions drift apart, the order of the rows hardly.
AUC_TOLERANCE = 0.01


def main(arguments: list[str]) -> int:
    """Build, train and compare; return 0, or 1 with one line of cause and remedy."""
    try:
        run = find_ended(Home.at(None), arguments[0] if arguments else LATEST)
        image = build("tensorflow", "tpu")
        with tempfile.TemporaryDirectory(prefix="tandem-tpu-") as folder:
            bundle = _train(run, image, Path(folder))
            return _compare(run, bundle)
    except TandemError as error:
        print(f"tandem: {error.message}; {error.remedy}", file=sys.stderr)
        return 1


def _train(run: RecordedRun, image: str, folder: Path) -> Path:
    """Train in the image what `run` trained; return the bundle that comes out."""
    given, made = folder / "given", folder / "made"
    transformed = run.tasks["transform-features"].outputs
    for name in ("features", "transform_graph"):
        shutil.copytree(run.folder / transformed[name].path, given / name)
    shutil.copy(run.folder / "settings.json", given)
    shutil.copy(TRAINING, given)
    made.mkdir()
    for path in (folder, made):
        path.chmod(0o777)  # the image's user is nobody here
    volumes = (f"{given}:/given:ro", f"{made}:/made")
    # Without a TPU nobody answers what libtpu asks the machine's metadata server.
    alone = {"TPU_SKIP_MDS_QUERY": "1", "TPU_WORKER_HOSTNAMES": "localhost"}
    work = ("python", "/given/training.py", "/given", "/made")
    with container_of(image) as container:
        print(run_in(container, work, volumes, alone), flush=True)
    kept = ROOT / "build" / "tensorflow-tpu"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(made / "bundle", kept)
    return kept


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
