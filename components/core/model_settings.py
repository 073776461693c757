"""The section of a model: the architecture that both frameworks build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from components.core.settings import (
    Count,
    Framework,
    Integer,
    ModelFunction,
    Number,
    Positive,
    Section,
)

Family = Literal["wide_and_deep", "dcn_v2", "ft_transformer"]
_DEEP = ("hidden_units", "embedding_dim", "dropout", "normalisation")
# What each built-in family reads; a family of the user's own may read all.
HYPER_PARAMETERS: Mapping[Family, tuple[str, ...]] = {
    "wide_and_deep": _DEEP,
    "dcn_v2": (*_DEEP, "cross_layers", "cross_rank", "structure"),
    "ft_transformer": ("token_dim", "blocks", "attention_heads", "feed_forward_factor", "dropout"),
}


class ModelFamily(Section):
    """The architecture that both frameworks build: a built-in family, or two functions.

    How many outputs it has, and what they mean, is the target's.
    """

    family: Family | None = Field(
        default=None, description="a built-in family; or give pytorch and tensorflow instead"
    )
    pytorch: ModelFunction | None = Field(
        default=None, description="module:function of a family of your own in PyTorch"
    )
    tensorflow: ModelFunction | None = Field(
        default=None, description="module:function of the same family in Keras"
    )
    hidden_units: tuple[Count, ...] = Field(
        default=(128, 64), description="wide_and_deep, dcn_v2: units of each hidden layer"
    )
    embedding_dim: Integer = Field(
        default=8, ge=1, le=512, description="wide_and_deep, dcn_v2: width of an id's embedding"
    )
    dropout: Number = Field(default=0.0, ge=0, lt=1, description="share of units dropped")
    normalisation: Literal["none", "layer", "batch"] = Field(
        default="none", description="wide_and_deep, dcn_v2: between a hidden layer and its relu"
    )
    cross_layers: Count = Field(default=2, description="dcn_v2: cross layers")
    cross_rank: Count | None = Field(
        default=None, description="dcn_v2: rank of a cross layer's kernel; full if not given"
    )
    structure: Literal["stacked", "parallel"] = Field(
        default="stacked", description="dcn_v2: the hidden layers behind or beside the cross layers"
    )
    token_dim: Count = Field(default=32, description="ft_transformer: width of a token")
    blocks: Count = Field(default=2, description="ft_transformer: attention blocks")
    attention_heads: Count = Field(
        default=4, description="ft_transformer: heads of each block; they divide token_dim"
    )
    feed_forward_factor: Positive = Field(
        default=4 / 3, description="ft_transformer: feed-forward width over token_dim"
    )

    def function(self, framework: Framework) -> str:
        """Return the model function of a framework: the user's own, or the built-in family's."""
        own = self.pytorch if framework == "pytorch" else self.tensorflow
        return own or f"components.train_{framework}.families.{self.family}:build_model"

    @model_validator(mode="after")
    def _one_architecture(self) -> ModelFamily:
        functions = (self.pytorch, self.tensorflow)
        if self.family is None and None in functions:
            families = ", ".join(HYPER_PARAMETERS)
            raise ValueError(f"give family ({families}), or both pytorch and tensorflow")
        if self.family is not None and functions != (None, None):
            raise ValueError("give family, or pytorch and tensorflow, not both")
        if self.token_dim % self.attention_heads:
            raise ValueError("token_dim is not a multiple of attention_heads")
        return self

    @model_validator(mode="after")
    def _no_unused_hyper_parameters(self) -> ModelFamily:
        if unused := sorted(self.model_fields_set & self._unused()):
            raise ValueError(
                f"{self.family} does not use {', '.join(unused)}; it has "
                f"{', '.join(HYPER_PARAMETERS[self.family or 'wide_and_deep'])}"
            )
        return self

    @model_serializer(mode="wrap")
    def _used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what the family does not use, so that what is read again is accepted."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name not in self._unused()}

    def _unused(self) -> frozenset[str]:
        if self.family is None:
            return frozenset({"family"})
        every = {name for names in HYPER_PARAMETERS.values() for name in names}
        return frozenset(every - {*HYPER_PARAMETERS[self.family]} | {"pytorch", "tensorflow"})
