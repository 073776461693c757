"""The statistics page: it opens without a network, is the same twice, and shows no one's markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from computed_statistics import compute_statistics

from components.core.code import module_digests
from components.core.data_settings import Checks
from components.core.examples import ARROW_TYPES, ColumnType, ExamplesManifest, SourceRows
from components.validate_examples.step import ValidateSettings, validate_examples

pytestmark = pytest.mark.slow
EVIL = '<script src="http://x.example/a.js">alert("&")</script>'
SPANS = ("2013-01", "2013-02", "2013-03")
VOID = {"meta", "br", "rect", "line", "path", "circle", "polyline"}


def _rows(seed: int, rows: int = 300, **more: pa.Array) -> pa.Table:
    random = np.random.default_rng(seed)
    columns = {
        "late": pa.array(random.integers(0, 2, rows)),
        "distance": pa.array(random.normal(100 + 20 * seed, 10, rows)),
        "origin": pa.array(random.choice(["EWR", "JFK", EVIL], rows)),
        EVIL: pa.array([EVIL, ""] * (rows // 2)),
        "nothing": pa.array([None] * rows, pa.float64()),
        "constant": pa.array([7] * rows),
        "strange": pa.array([float("nan"), float("inf"), -1.5] * (rows // 3)),
        **more,
    }
    return pa.table(columns)


def _manifest(table: pa.Table, rows: int) -> ExamplesManifest:
    kinds: Mapping[pa.DataType, ColumnType] = {kind: name for name, kind in ARROW_TYPES.items()}
    return ExamplesManifest(
        columns={name: kinds[table.schema.field(name).type] for name in sorted(table.column_names)},
        label="late",
        splits={"eval": (SPANS[2],), "train": SPANS[:2]},
        shards=(),
        source=SourceRows(files=(), rows=rows),
        dropped=(),
        rows=rows,
        card_sha256="0" * 64,
    )


def _page(tables: Mapping[str, pa.Table]) -> str:
    from components.validate_examples.page import drift_of, render
    from components.validate_examples.statistics import StatisticsSet

    spans = sorted(tables)
    train = pa.concat_tables([tables[span] for span in spans[:-1]])
    computed = StatisticsSet(
        splits={
            "eval": compute_statistics(tables[spans[-1]], "eval"),
            "train": compute_statistics(train, "train"),
        },
        spans={span: compute_statistics(table, span) for span, table in tables.items()},
    )
    rows = sum(table.num_rows for table in tables.values())
    manifest = _manifest(train, rows)
    return render(computed, manifest, drift_of(computed, manifest))


def _three_spans() -> dict[str, pa.Table]:
    return {span: _rows(seed) for seed, span in enumerate(SPANS)}


class _Elements(HTMLParser):
    """Every element with its attributes, and whether each was closed by its own end tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return _page(_three_spans())


def test_the_page_loads_nothing(page: str) -> None:
    elements = _Elements(page)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(elements.tags)
    links = [value for name, value in elements.attributes if name in ("src", "href", "xlink:href")]
    assert links
    assert {link for link in links if not link.startswith("#")} == {"facets.html"}
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in elements.attributes


def test_names_and_values_are_escaped(page: str) -> None:
    assert EVIL not in page
    assert EVIL in _Elements(page).text


def test_equal_statistics_give_equal_bytes(page: str) -> None:
    assert _page(dict(reversed(_three_spans().items()))) == page


def test_what_has_no_value_one_value_or_no_finite_one_is_still_shown(page: str) -> None:
    cards = re.split(r"<article", page)[1:]
    named = {card.split("<h3>")[1].split("</h3>")[0]: card for card in cards}
    assert len(named) == 7
    assert "no value at all" in named["nothing"]
    assert "100 %" in named["nothing"]
    assert named["constant"].count("<path") == 2
    assert "(empty)" in next(card for name, card in named.items() if "script" in name)
    assert ">not a number</th><td>33.3 %</td>" in named["strange"]
    assert ">max</th><td>infinite</td>" in named["strange"]
    assert ">nan<" not in page


def test_the_label_share_and_the_rows_of_each_span_are_shown(page: str) -> None:
    for span, table in _three_spans().items():
        share = np.mean(table["late"].to_numpy())
        assert f"<title>{span}: {100 * share:.1f} %</title>" in page
        assert f"<title>{span}: 300</title>" in page


def test_the_distances_are_those_of_the_drift_gate(page: str) -> None:
    from components.validate_examples.drift import check_drift
    from components.validate_examples.statistics import StatisticsSet

    tables = _three_spans()
    computed = {span: compute_statistics(table, span) for span, table in tables.items()}
    columns: dict[str, str] = {"origin": "string", "distance": "float64"}
    gates = check_drift(
        StatisticsSet(splits={}, spans=computed), Checks(drift=dict.fromkeys(columns, 1.0)), columns
    )
    values = {finding.gate.name.removeprefix("drift:"): finding.gate.value for finding in gates}
    assert values.keys() == columns.keys()
    for name, value in values.items():
        assert f"<title>{name}, 2013-03 against 2013-02: {value:.4f}</title>" in page
    shares = [
        {value: np.mean(np.asarray(table["origin"]) == value) for value in ("EWR", "JFK", EVIL)}
        for table in list(tables.values())[:2]
    ]
    farthest = max(abs(shares[1][value] - shares[0][value]) for value in shares[0])
    assert f"<title>origin, 2013-02 against 2013-01: {farthest:.4f}</title>" in page


def test_many_columns_and_categories_stay_bounded() -> None:
    from components.validate_examples.page import MOST_COLUMNS, MOST_DRIFTING

    rows = 18_000
    more = {f"c{number:03}": pa.array([number] * rows) for number in range(MOST_COLUMNS)}
    many = {"name": pa.array([f"person {number}" for number in range(rows)])}
    page = _page({span: _rows(1, rows, **more, **many) for span in SPANS[:2]})
    assert len(page) < 1_500_000
    assert page.count("<article") == MOST_COLUMNS
    assert "8 further ones are in the\nprotos only" in page
    assert page.count('class="name"') <= MOST_DRIFTING
    assert page.count("person ") <= 8


def test_of_many_spans_the_last_are_shown() -> None:
    from components.validate_examples.drift_over_spans import MOST_SPANS

    days = [f"2013-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    small = {day: _rows(number, 30) for number, day in enumerate(days)}
    page = _page(small)
    assert f"The last {MOST_SPANS} spans; {len(days) - MOST_SPANS} earlier ones" in page
    assert days[-MOST_SPANS - 1] not in page.partition("<h2>Columns")[0]


def test_histograms_of_two_splits_share_one_axis() -> None:
    from components.validate_examples.page_features import Bucket, Numbers
    from components.validate_examples.page_pictures import BINS, HEIGHT, histogram

    def numbers(*buckets: Bucket) -> Numbers:
        return Numbers(0, 0, 0, 0, 0, 0, 0, buckets, ())

    wide = numbers(Bucket(0, 5, 10), Bucket(5, 10, 30))
    narrow = numbers(Bucket(10, 10, 5))
    drawn = histogram({"train": wide, "eval": narrow})
    assert drawn is not None
    assert (drawn.low, drawn.high) == (0, 10)
    tops = {
        shape.split: [float(y) for y in re.findall(r"V([\d.]+)H", shape.path)]
        for shape in drawn.shapes
    }
    assert tops["eval"][:-1] == [HEIGHT] * (BINS - 1)
    assert tops["eval"][-1] == 6.0
    heights = [HEIGHT - top for top in tops["train"]]
    assert heights[0] * 3 == pytest.approx(heights[-1], abs=0.3)
    assert len(set(heights)) == 2


def test_a_tail_in_one_split_alone_does_not_make_two_like_splits_look_different() -> None:
    from components.validate_examples.page_features import columns_of
    from components.validate_examples.page_pictures import BINS, HEIGHT, histogram

    values = np.random.default_rng(0).normal(0.3, 0.1, 20_000)
    tables = {"train": np.append(values, 3.0), "eval": values[::2]}
    sides = {}
    for split, numbers in tables.items():
        table = pa.table({"ratio": pa.array(numbers)})
        column = columns_of(compute_statistics(table, split))["ratio"].numbers
        assert column is not None
        sides[split] = column
    drawn = histogram(sides)
    assert drawn is not None
    edges = np.linspace(drawn.low, drawn.high, BINS + 1)
    for shape in drawn.shapes:
        heights = HEIGHT - np.array(re.findall(r"V([\d.]+)H", shape.path), dtype=float)
        true = np.histogram(tables[shape.split], edges)[0] / len(tables[shape.split])
        assert np.abs(heights / heights.sum() - true).max() < 0.08


def test_the_page_of_one_span_is_written_into_the_artifact_without_drift(tmp_path: Path) -> None:
    from components.validate_examples.page import FILE_NAME, drift_of, write_page
    from components.validate_examples.statistics import StatisticsSet

    table = _rows(0, 30)
    statistics = compute_statistics(table, "all")
    computed = StatisticsSet(splits={"train": statistics}, spans={"all": statistics})
    manifest = _manifest(table, 30)
    write_page(tmp_path, computed, manifest, drift_of(computed, manifest))
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    page = (tmp_path / FILE_NAME).read_text()
    assert "Drift over spans" not in page
    assert "<h2>Spans" not in page


def test_a_split_without_rows_and_a_column_without_statistics_are_shown() -> None:
    tables = _three_spans()
    tables[SPANS[2]] = tables[SPANS[2]].slice(0, 0)
    page = _page(tables)
    assert page.count("<article") == 7
    assert "<title>2013-03: 0</title>" in page
    assert "<title>distance, 2013-03 against 2013-02: not measured</title>" in page


def test_the_stage_writes_the_same_page_beside_equal_statistics(
    make_settings: Callable[..., ValidateSettings], flights_examples: Path, tmp_path: Path
) -> None:
    pages = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        for name in ("statistics", "validation"):
            (folder / name).mkdir(parents=True)
        validate_examples(
            settings=make_settings(),
            examples=flights_examples,
            statistics=folder / "statistics",
            validation=folder / "validation",
        )
        pages.append((folder / "statistics" / "statistics.html").read_bytes())
    assert pages[0] == pages[1]
    drifts = [(tmp_path / run / "statistics" / "drift.json").read_bytes() for run in ("one", "two")]
    assert drifts[0] == drifts[1]
    assert b"<title>carrier, 2013-02 against 2013-01: " in pages[0]


def test_a_changed_template_is_a_changed_stage() -> None:
    modules = module_digests(["components.validate_examples.step"])
    assert "components.validate_examples.page_template" in modules
