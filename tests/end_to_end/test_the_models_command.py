"""`tandem models`: what a real run's bundles hold, and the same predictions from every form."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from prepared_run import PreparedRun

from components.core.bundle import Bundle, OnnxScorer
from components.core.examples import ExamplesManifest
from components.reading.model_rows import rows_of
from pipelines.cli import main

pytestmark = pytest.mark.slow
FORMS = {
    "pytorch": ("onnx", "torch_export"),
    "tensorflow": ("onnx", "saved_model", "litert"),
}
EVERY_FORM = [(framework, form) for framework, forms in FORMS.items() for form in forms]


def bundle_of(run: PreparedRun, framework: str) -> Path:
    return run.output(f"train_{framework}", f"{framework}_model")


@pytest.fixture(scope="module")
def rows(small_run: PreparedRun) -> pa.Table:
    """Some real rows, a few of their values missing."""
    examples = small_run.output("ingest_examples", "examples")
    shard = next(s for s in ExamplesManifest.read(examples).shards if s.split == "eval")
    table = pq.read_table(examples / shard.path).slice(0, 2000)
    holes = pa.array(np.arange(2000) % 50 == 7)
    for name in ("carrier", "distance"):
        column = table[name].combine_chunks()
        filled = pa.compute.if_else(holes, pa.scalar(None, column.type), column)
        table = table.set_column(table.column_names.index(name), name, filled)
    return table


@pytest.fixture(scope="module")
def rows_file(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    csv.write_csv(rows, path)
    return path


def tandem(*words: object) -> subprocess.CompletedProcess[str]:
    """Call the command in a process of its own, as a user does."""
    command = [sys.executable, "-m", "pipelines.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(("framework", "form"), EVERY_FORM)
def test_every_form_predicts_what_the_evaluated_one_does(
    small_run: PreparedRun, rows: pa.Table, rows_file: Path, framework: str, form: str
) -> None:
    bundle = Bundle.open(bundle_of(small_run, framework))
    done = tandem("models", "predict", bundle.folder, "--input", rows_file, "--form", form)
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header == "probability"
    tolerance = bundle.contract.form(form).parity.tolerance
    expected = OnnxScorer(bundle).predict(rows)
    np.testing.assert_allclose(np.array(lines, np.float64), expected, rtol=0, atol=2 * tolerance)


def test_rows_of_parquet_give_the_same_as_rows_of_csv(
    small_run: PreparedRun, rows: pa.Table, rows_file: Path, tmp_path: Path
) -> None:
    folder, parquet = bundle_of(small_run, "pytorch"), tmp_path / "rows.parquet"
    pq.write_table(rows, parquet)
    answers = []
    for number, file in enumerate((rows_file, parquet)):
        output = tmp_path / f"{number}.csv"
        words = ["models", "predict", str(folder), "--input", str(file), "-o", str(output)]
        assert main(words) == 0
        answers.append(output.read_text())
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) == 2001


def test_only_a_file_of_its_own_is_written(
    small_run: PreparedRun, rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    words = ["models", "predict", str(bundle_of(small_run, "pytorch")), "--input", str(rows_file)]
    before = rows_file.read_bytes()
    for output, said in ((tmp_path / "pipe", "is no file"), (rows_file, "the input itself")):
        assert main([*words, "-o", str(output)]) == 2
        assert said in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()
    assert rows_file.read_bytes() == before
    (tmp_path / "link").symlink_to("target.csv")
    assert main([*words, "-o", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "target.csv").read_text().splitlines()) == 2001


def test_a_reader_that_goes_away_is_no_error(small_run: PreparedRun, rows_file: Path) -> None:
    bundle = bundle_of(small_run, "pytorch")
    words = [sys.executable, "-m", "pipelines.cli", "models", "predict", bundle]
    with subprocess.Popen(
        [*map(str, words), "--input", rows_file],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")


def test_inspect_names_forms_proofs_and_digests(
    small_run: PreparedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bundle_of(small_run, "tensorflow")
    contract = Bundle.open(folder).contract
    assert main(["models", "inspect", str(folder)]) == 0
    said = capsys.readouterr().out
    assert small_run.digest("train_tensorflow", "tensorflow_model") in said
    assert contract.weights_sha256 in said
    assert [line.split()[0] for line in said.splitlines()[-3:]] == list(FORMS["tensorflow"])
    assert main(["models", "inspect", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["contract"] == contract.to_dict()
    assert answer["size_bytes"]["litert"] == (folder / "model.tflite").stat().st_size
    assert answer["size_bytes"]["saved_model"] > answer["size_bytes"]["onnx"]


def test_a_changed_bundle_is_not_used(
    small_run: PreparedRun, rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_of(small_run, "pytorch"), folder)
    (folder / "model.onnx").write_bytes(b"other")
    for words in (["inspect", folder], ["predict", folder, "--input", rows_file]):
        assert main(["models", *map(str, words)]) == 4
    assert "model.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [("carrier\nUA\n", "it has no column"), ("", "cannot be read as rows")],
)
def test_a_file_without_the_models_columns_is_refused_with_their_names(
    small_run: PreparedRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    words: str,
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(content)
    folder = bundle_of(small_run, "pytorch")
    assert main(["models", "predict", str(folder), "--input", str(file)]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert "sched_dep_time" in said.err


def test_a_text_where_a_number_belongs_leaves_no_output(
    small_run: PreparedRun, rows: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "rows.csv", tmp_path / "out.csv"
    place = rows.column_names.index("distance")
    distances = ["100"] * (len(rows) - 1) + ["far"]
    csv.write_csv(rows.set_column(place, "distance", pa.array(distances)), file)
    output.write_text("kept")
    words = ["predict", str(bundle_of(small_run, "pytorch")), "--input", str(file)]
    assert main(["models", *words, "-o", str(output)]) == 1
    said = capsys.readouterr().err
    assert f"column distance holds no number in row {len(rows) + 1}" in said
    assert "far" not in said
    assert output.read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "out.csv"}


def test_only_an_empty_field_is_a_missing_value(
    small_run: PreparedRun, rows: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.open(bundle_of(small_run, "pytorch"))
    first = rows.slice(0, 3)
    place = first.column_names.index("carrier")
    carriers = pa.array(["N/A", "", "null"])
    given = first.set_column(place, "carrier", carriers)
    file = tmp_path / "rows.csv"
    csv.write_csv(given, file)
    read = next(rows_of(file, bundle.contract.input_types))
    assert read["carrier"].to_pylist() in (["N/A", "", "null"], ["N/A", None, "null"])
    assert main(["models", "predict", str(bundle.folder), "--input", str(file), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(answer["probability"], OnnxScorer(bundle).predict(given), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inspect", "nowhere"], "nowhere is no folder"),
        (["predict", "BUNDLE", "--input", "rows.csv", "--form", "onyx"], "did you mean onnx?"),
        (["predict", "BUNDLE", "--input", "rows.csv", "--form", "litert"], "has no form litert"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    small_run: PreparedRun, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    folder = str(bundle_of(small_run, "pytorch"))
    assert main(["models", *(folder if word == "BUNDLE" else word for word in words)]) == 2
    assert said in capsys.readouterr().err
