"""Note whom each row is about while rows are sent to their shards.

Rules: the index names rows as the shards have them; what a row is about is only ever held under the
key, which the environment names or holds, and which is in no setting, artifact or record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.audit.folder import AuditFolder
from components.audit.subjects import SubjectIndex, key_of_environment, runs_of_rows
from components.ingest_examples.shards import places

Array = np.ndarray[Any, Any]


class Subjects:
    """The index of one ingestion; of a source without a column of subjects it does nothing."""

    def __init__(self, column: str | None, spans: Sequence[str]) -> None:
        """Read the key, where one is needed; SettingsError for none, and without a state folder."""
        self._column, self._places = column, places(spans)
        self._counts = dict.fromkeys(range(len(self._places)), 0)
        self._index = None
        if column is not None:
            self._index = SubjectIndex(key_of_environment())
            self._home = AuditFolder.from_environment().home

    def add(self, rows: pa.Table, shards: Array) -> None:
        """Take the rows that a batch sends to shards, each with the number of its shard."""
        if self._index is None:
            return
        subjects = np.array(rows[self._column].to_pylist(), dtype=object)
        for shard in np.unique(shards):
            place, first = self._places[shard], self._counts[int(shard)]
            mine = subjects[shards == shard]
            for subject, start, end in runs_of_rows(mine, first):
                self._index.add(subject, place.split, place.span, start, end)
            self._counts[int(shard)] += len(mine)

    def store(self) -> str | None:
        """Write the index into the state folder and return its root; None where there is none."""
        if self._index is None:
            return None
        return self._index.store(self._home)
