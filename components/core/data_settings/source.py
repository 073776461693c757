"""Where the rows come from, what of them is kept, and the card that says what they may be used for.

A place to read from is a location (a path or a URL), a secret never: a database's address comes
from the environment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from components.core.data_settings.spans import Spans
from components.core.settings import Digest, Flag, Integer, Name, Number, Section, Share
from components.core.task import Task

Text = Annotated[str, StringConstraints(min_length=1)]
Format = Literal["csv", "parquet", "arrow", "jsonl", "tfrecord"]
DELIMITER_PATTERN = r"^[\x01-\x7F]$"
ColumnKind = Literal["int64", "float64", "string", "timestamp"]


def date_columns(name: str) -> tuple[str, str]:
    """Return the columns of the examples that a date is kept in: its day and its second."""
    return f"{name}_day", f"{name}_second"


class Table(Section):
    """One table of the source: files, or the result of a database query.

    `location` is a path relative to the settings file, an absolute path, `package://NAME/PATH` for
    a file that an installed package ships, or an address of s3://, gs://, memory:// or file://. It
    may have `*`, `?` and `[...]` as in a shell, and `{span}` where the files of each span have a
    name or a folder of their own. `{split}` in it makes a column `split` of what stands in its
    place, for rows that another system has divided. `tar://MEMBER::LOCATION` and
    `zip://MEMBER::LOCATION` name a file inside an archive. Files end in .csv, .parquet, .arrow,
    .feather, .ipc, .jsonl, .ndjson or .tfrecord, the text ones also in .gz, .bz2, .zst or .zip
    after that; `format` says what another name does not.

    `query` is one SQL statement instead, in the database whose address the environment variable
    TANDEM_DATABASE_<DATABASE> holds: postgresql://... or duckdb:///PATH.
    """

    location: Text | None = None
    format: Format | None = None
    query: Text | None = None
    database: Name | None = None
    sha256: Digest | None = Field(
        default=None,
        description="what the files must be: of one file its digest, of several the digest of the "
        "canonical JSON of their [name, digest] in order; a run fills it in when it starts",
    )
    as_of: Text | None = Field(
        default=None,
        description="which state of the database a query reads: where it is the same, so are its "
        "rows; a run without one fills its own id in, and so asks again",
    )
    encoding: Text = Field(default="utf-8", description="of CSV, as Python names encodings")
    delimiter: Annotated[str, StringConstraints(pattern=DELIMITER_PATTERN)] = Field(
        default=",", description="of CSV"
    )
    null_values: tuple[str, ...] = ("", "NA")
    types: dict[Name, ColumnKind] = Field(
        default={}, description="types of columns where those found in the data are not right"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Table:
        if (self.location is None) == (self.query is None):
            raise ValueError("a table has either a location or a query")
        if (self.query is None) != (self.database is None):
            raise ValueError("query and database belong together")
        return self

    @property
    def name(self) -> str:
        """What messages and records call the table."""
        return self.location or f"the query of {self.database}"


class Join(Table):
    """A left join of a further table; its columns get `prefix`.

    `shift_hours` moves the further table's time key, so that a row sees only what was observed
    that many hours before.
    """

    on: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Name, ...] = Field(min_length=1)
    prefix: str = ""
    shift_hours: dict[Name, Integer] = Field(default={})


class Target(Section):
    """The label, by what is asked of `column`, one of four.

    above: binary, 1 where the number is greater, else 0;
    equals: binary, 1 where it is that text, or that whole number by its digits, else 0;
    classes: multi_class, the place from 0 of the text, or of the whole number by its digits, in
    this list; a row with any other value is refused;
    number: regression, the number itself.
    """

    name: Name
    column: Name
    above: Number | None = None
    equals: Text | None = None
    classes: tuple[Text, ...] | None = Field(
        default=None, min_length=3, description="three or more, each once; of two, ask `equals`"
    )
    number: Flag | None = None

    @model_validator(mode="after")
    def _one_question(self) -> Target:
        asked = [self.above, self.equals, self.classes, self.number or None]
        if sum(question is not None for question in asked) != 1:
            raise ValueError(
                "a target asks one question: above or number of numbers, equals or classes of text"
            )
        classes = self.classes or ()
        if twice := sorted({name for name in classes if classes.count(name) > 1}):
            raise ValueError(f"classes names {', '.join(twice)} more than once")
        return self

    @property
    def task(self) -> Task:
        """What the models are to predict."""
        if self.classes is not None:
            return "multi_class"
        return "regression" if self.number else "binary"


class DropRule(Section):
    """A row with no value in `column` is dropped for `reason`."""

    column: Name
    reason: Text


class Splits(Section):
    """Which rows are evaluated on; all others are trained on.

    span: those of the window's last span;
    hash: a share `eval_share` by the hash of the text of `column`, a key: a row stays in its split
    when others are added, removed or reordered, and rows with one key stay together;
    column: those whose `column` is one of `eval_values`.
    """

    by: Literal["span", "hash", "column"] = "span"
    column: Name | None = None
    eval_share: Share = 0.2
    eval_values: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _column_where_needed(self) -> Splits:
        if (self.by == "span") != (self.column is None):
            raise ValueError("hash and column need a column, and span has none")
        if (self.by == "column") != bool(self.eval_values):
            raise ValueError("eval_values belong to column, which needs them")
        return self


class Source(Section):
    """Where the rows come from and what of them is kept."""

    table: Table
    joins: dict[Name, Join] = Field(default={}, description="joined in the order of their names")
    target: Target
    drop_where_null: tuple[DropRule, ...] = Field(
        default=(), description="a row without a value is dropped and counted, by the first rule"
    )
    leakage: tuple[Name, ...] = Field(
        default=(), description="columns known only after the prediction; never features"
    )
    leave_out: tuple[Name, ...] = Field(
        default=(), description="further columns that the examples do not have, such as row numbers"
    )
    spans: Spans = Spans(columns=("year", "month"))
    splits: Splits = Splits()
    subject: Name | None = Field(
        default=None,
        description="the main table's column that says whom a row is about: an index of them, "
        "hidden by the key in the file that TANDEM_SUBJECT_KEY names, is kept in the state folder, "
        "to be erased",
    )
    dates: tuple[Name, ...] = Field(
        default=(),
        description="dates or times to keep, each as two whole numbers: NAME_day, days since "
        "1970-01-01, and NAME_second, seconds since midnight; other times are left out",
    )
    weekday: Name | None = Field(
        default=None, description="name of a column to add: day of the week, 1 is Monday"
    )

    @field_validator("joins")
    @classmethod
    def _by_name(cls, joins: dict[str, Join]) -> dict[str, Join]:
        """Order the joins: a mapping keeps none on its way through the pipeline's parameters."""
        return dict(sorted(joins.items()))

    @model_validator(mode="after")
    def _span_in_location(self) -> Source:
        if self.spans.from_location != ("{span}" in (self.table.location or "")):
            raise ValueError("spans.from_location and {span} in table.location belong together")
        return self

    @model_validator(mode="after")
    def _label_is_new(self) -> Source:
        if self.target.name in self.named:
            raise ValueError(
                f"target.name: {self.target.name} is a column of the source; give the label "
                "another name"
            )
        return self

    @property
    def named(self) -> frozenset[str]:
        """The columns that the settings say the source has, a join's and a date's parts too."""
        named = {self.target.column, *self.leakage, *self.leave_out, *self.dates}
        named |= {*self.table.types, *self.spans.columns}
        named |= {rule.column for rule in self.drop_where_null}
        single = (self.spans.column, self.splits.column, self.subject, self.weekday)
        named |= {name for name in single if name is not None}
        for join in self.joins.values():
            named.update(join.on, (join.prefix + name for name in join.columns))
        return frozenset(named.union(*map(date_columns, self.dates)))

    @property
    def known_later(self) -> frozenset[str]:
        """The columns known only after the prediction, a date's parts too; the label is not one."""
        later = {*self.leakage, self.target.column}
        return frozenset(later.union(*map(date_columns, later & set(self.dates))))


class CardField(Section):
    """Personal data in the source: whether there is any, and of which categories."""

    present: Flag
    categories: tuple[str, ...] = ()


class DataCard(Section):
    """What the data is and may be used for (EU AI Act Art. 10(2), ISO/IEC 42001 A.7)."""

    origin: Text
    collection: Text
    licence: Text
    purpose: Text
    personal_data: CardField
    processing: Text | None = Field(
        default=None,
        exclude_if=lambda reference: reference is None,
        description="where the records of processing activities (GDPR Art. 30) hold this use",
    )
    known_gaps: tuple[str, ...] = ()
