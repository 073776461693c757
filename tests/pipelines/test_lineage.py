"""The way from the data to the registered versions, as the report shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.core.artifacts import write_json
from pipelines.home import Home
from pipelines.lineage import Link, lineage, picture
from pipelines.report import render
from pipelines.runners.ir import read_pipeline
from pipelines.runs import RECORDS_FILE, read_run

Record = Callable[..., Path]
EXAMPLES = {"stage": "ingest_examples", "outputs": {"examples": "5" * 64}}


def view(stage: str, event: str = "COMPLETE", **more: Any) -> dict[str, Any]:
    about = {"index": 1, "stage": stage, "event": event, "attempt": 1, "time": "t"}
    return {**about, "record": "6" * 64, "record_id": f"r/{stage}/1/{event}", "gates": [], **more}


def links(folder: Path, records: list[dict[str, Any]], **champion: str) -> dict[str, Link]:
    pipeline = read_pipeline(folder / "pipeline.yaml")
    found = lineage(read_run(folder), pipeline, records, champion)
    return {link.name: link for link in found}


def test_the_versions_lead_back_to_the_spans_of_the_data(record_run: Record) -> None:
    found = links(record_run(), [])
    assert found["shop-late@7"].made_from == ("pytorch_model", "registration")
    assert found["registration"].made_from[0] == "decision"
    assert found["evaluation"].made_from == ("examples", "pytorch_model", "tensorflow_model")
    assert found["examples"].made_from == ("source",)
    assert found["source"].what == "spans 2013-01 to 2013-03 of 1 file, listed under Data"
    assert found["examples"].sha256 == "5" * 64


def test_an_artifact_has_the_record_of_its_stage_and_from_the_cache_that_of_the_work(
    record_run: Record,
) -> None:
    cached = view("ingest_examples", "CACHED", outputs={"examples": "5" * 64})
    cached["facts"] = {"origin": {"examples": "7" * 64}}
    later = view("ingest_examples", "START")
    found = links(record_run(), [cached, later])["examples"]
    assert found.record_id == "r/ingest_examples/1/CACHED"
    assert (found.record, found.origin, found.recorded) == ("6" * 64, "7" * 64, "")


def test_a_folder_that_names_another_digest_than_the_record_is_shown_to_do_so(
    record_run: Record,
) -> None:
    folder = record_run()
    records = [view("ingest_examples", outputs={"examples": "8" * 64})]
    assert links(folder, records)["examples"].recorded == "8" * 64
    write_json(folder / RECORDS_FILE, {"records": records})
    page = render(read_run(folder), Home(folder.parents[1]))
    assert f"but the record says {'8' * 64}" in page


def test_the_champion_stands_before_the_evaluation(record_run: Record) -> None:
    folder = record_run()
    assert "champion" not in links(folder, [])
    champion = {"version": "3", "bundle_sha256": "9" * 64, "path": "/x"}
    found = links(folder, [], **champion)
    assert found["champion"].sha256 == "9" * 64
    assert found["evaluation"].made_from[0] == "champion"
    assert "champion" not in found["measurements"].made_from
    write_json(folder / "arguments.json", {"champion": champion})
    page = render(read_run(folder), Home(folder.parents[1]))
    assert '<th scope="row">champion</th><td>version 3</td>' in page


def test_what_a_run_did_not_reach_is_left_out(record_run: Record) -> None:
    def stop(documents: dict[tuple[str, str, str], Any]) -> None:
        for key in [key for key in documents if key[0] not in ("ingest-examples",)]:
            del documents[key]

    assert list(links(record_run(stop), [])) == ["source", "examples"]


@pytest.mark.parametrize("spans", [["all"], ["2013-01", "2013-02"]])
def test_data_without_spans_is_not_said_to_have_some(record_run: Record, spans: list[str]) -> None:
    def split(documents: dict[tuple[str, str, str], Any]) -> None:
        manifest = documents["ingest-examples", "examples", "manifest.json"]
        manifest["splits"] = {"train": spans, "eval": spans}

    said = "1 file, listed under Data"
    named = said if spans == ["all"] else f"spans 2013-01 to 2013-02 of {said}"
    assert links(record_run(split), [])["source"].what == named


def test_in_the_picture_everything_stands_right_of_what_it_was_made_from() -> None:
    chain = [Link("a", "", ()), Link("b", "", ("a",)), Link("c", "", ("a", "b", "gone"))]
    drawn = picture(chain)
    place = {box.task: box.x for box in drawn.boxes}
    assert place["a"] < place["b"] < place["c"]
    # That c is made from a too is what the way through b implies.
    assert len(drawn.arrows) == 2
    assert picture([]).boxes == ()
