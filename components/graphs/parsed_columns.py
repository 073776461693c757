"""Columns as TensorFlow's parsing of tf.Examples would give them: a row has one value, or none.

Rules: a missing value is NaN of numbers and the empty text of texts; of a sparse feature only the
values that there are count, a dense one has its default in the place of a missing one.

This module imports TensorFlow: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def as_sparse(column: Any, dtype: Any) -> Any:
    """Return the values of a column [batch] as a SparseTensor [batch, 1] of a type."""
    rows = tf.where(tf.logical_not(_missing(column)))
    values = tf.cast(tf.gather(column, rows[:, 0]), dtype)
    shape = tf.concat([tf.shape(column, out_type=tf.int64), [1]], axis=0)
    return tf.SparseTensor(tf.concat([rows, tf.zeros_like(rows)], axis=1), values, shape)


def as_dense(column: Any, dtype: Any, shape: Sequence[int], default: Any = None) -> Any:
    """Return a column [batch] as [batch, *shape] of a type, `shape` being of one value a row."""
    values = tf.cast(column, dtype)
    if default is not None:
        one = tf.reshape(tf.constant(default, dtype), [])
        values = tf.where(_missing(column), one, values)
    return tf.reshape(values, [-1, *shape])


def _missing(column: Any) -> Any:
    return tf.equal(column, "") if column.dtype == tf.string else tf.math.is_nan(column)
