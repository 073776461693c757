"""A target: where the compiled pipeline runs, one YAML file in infra/settings or anywhere else.

Rules: a target says where and with what a stage runs, never what it does: two targets give the same
results. A secret is named, by its Secret and key, and never written; what looks like one in a plain
value is refused. Images are pinned by digest. A target without images is this machine: the plain
form that `tandem run` executes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from components.audit.personal_data import pattern_in
from components.core.errors import SettingsError
from components.core.image import IMAGE_OF_STAGE
from components.core.kubernetes_names import (
    TPU,
    Bucket,
    Duration,
    Folder,
    Image,
    Key,
    LabelKey,
    LabelValue,
    ObjectName,
    Variable,
)
from components.core.machine import IMAGE_VARIABLE
from components.core.prices import CHIPS_VARIABLE
from components.core.settings import Framework, Name, Section
from components.core.stage_identity import PLATFORM_RUN_VARIABLE
from components.core.training_nodes import NODES_VARIABLE, POD_VARIABLES
from components.core.words import nearest
from components.training.devices import GIVEN_VARIABLE
from pipelines.devices import Accelerator, Nodes
from pipelines.settings_errors import explain
from pipelines.settings_file import REPOSITORY, SUFFIXES, read_yaml
from pipelines.stage_resources import DEFAULTS, LAUNCHER, Resources, layered

FOLDER = REPOSITORY / "infra" / "settings"
NO_DIGEST = "0" * 64
NOBODY = 65532
"""The user of our images."""
OURS = frozenset(
    {
        IMAGE_VARIABLE,
        CHIPS_VARIABLE,
        GIVEN_VARIABLE,
        PLATFORM_RUN_VARIABLE,
        NODES_VARIABLE,
        *POD_VARIABLES,
    }
)
"""Variables that records and costs are read from: a target that set them could say what is not."""
_PARTS = r"app\.kubernetes\.io/(name|component|part-of)"
_OF_OTHERS = r"(pipeline|pipelines\.kubeflow\.org|workflows\.argoproj\.io|kueue\.x-k8s\.io)/.*"
_TAKEN_LABELS = re.compile(f"{_PARTS}|{_OF_OTHERS}")
"""Labels that records, NetworkPolicies, KFP and Kueue go by: a target that set them could have a
stage's pod taken for the notary's, or another run's, and a schedule's task wait for its own run."""
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSPHRASE|PASSWD|_PWD|CREDENTIAL|ACCESS_KEY|API_?KEY|PRIVATE"
    r"|NOTIFY_(WEBHOOK|SLACK|EMAIL)|SUBJECT_KEY_HEX"
)
_PASSWORD_IN_URL = re.compile(r"://[^/@\s]+@|(?i:password=)")


class Images(Section):
    """The image of each part (infra/images), by digest."""

    data: Image
    pytorch: Image
    tensorflow: Image
    registry: Image

    def missing(self) -> list[str]:
        """Return the parts whose digest is zeros, which stand for one that is to be put in."""
        images = self.model_dump()
        return sorted(name for name, image in images.items() if image.endswith(NO_DIGEST))


class Retry(Section):
    """How often what the platform got wrong is tried again, and after how long."""

    number: Annotated[int, Field(ge=0, le=10)] = 3
    backoff: Duration = "30s"
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    longest: Duration = "10m"


class SecretKey(Section):
    """One key of a Secret."""

    secret: ObjectName
    key: Key


class ConfigKey(Section):
    """One key of a ConfigMap."""

    config_map: ObjectName
    key: Key


class Mount(Section):
    """A ConfigMap as files."""

    config_map: ObjectName
    path: Folder


class Workspace(Section):
    """A volume that the stages share: the cache and the trainers' checkpoints."""

    claim: ObjectName
    path: Folder = "/tandem"


class Security(Section):
    """Whom a container runs as; KFP adds the rest of the restricted profile itself."""

    user: Annotated[int, Field(gt=0)] = NOBODY
    group: Annotated[int, Field(gt=0)] = NOBODY


class Target(Section):
    """Where the pipeline runs."""

    name: Name
    images: Images | None = Field(default=None, description="none of this machine's target")
    root: Bucket | None = Field(default=None, description="the bucket of the artifacts")
    workspace: Workspace | None = None
    resources: Resources = Resources()
    stages: dict[str, Resources] = Field(default={}, description="of single stages")
    retry: Retry = Retry()
    labels: dict[LabelKey, LabelValue] = Field(default={})
    queue: LabelValue | None = Field(default=None, description="Kueue's LocalQueue")
    security: Security = Security()
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    accelerators: dict[Framework, Accelerator] = Field(default={}, description="of the trainers")
    nodes: dict[Framework, Nodes] = Field(
        default={}, description="of the trainers, which take its accelerator; needs a workspace"
    )
    environment: dict[Variable, str] = Field(default={}, description="plain values")
    secrets: dict[Variable, SecretKey] = Field(default={}, description="variables from Secrets")
    config_maps: dict[Variable, ConfigKey] = Field(default={}, description="from ConfigMaps")
    mounts: tuple[Mount, ...] = ()
    service_account: ObjectName | None = Field(
        default=None, description="of the runs' pods; KFP's own where none is named"
    )
    launcher: Resources = Field(
        default=Resources(),
        description="of a schedule's task; its time limit is how old the run may grow",
    )
    launcher_account: ObjectName | None = Field(
        default=None, description="of a schedule's task, which asks KFP; else service_account"
    )
    time_zone: str = Field(
        default="UTC",
        description="in which schedules are read: CRON_SCHEDULE_TIMEZONE of KFP's controller",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError) as error:
            raise ValueError(f"{value} is no time zone, such as Europe/Berlin") from error
        return value

    @field_validator("stages")
    @classmethod
    def _known_stages(cls, value: dict[str, Resources]) -> dict[str, Resources]:
        for name in value:
            if name not in IMAGE_OF_STAGE:
                raise ValueError(f"{name} is no stage{nearest(name, IMAGE_OF_STAGE)}")
        return value

    @field_validator("labels")
    @classmethod
    def _free_labels(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted(filter(_TAKEN_LABELS.fullmatch, value)):
            raise ValueError(f"{', '.join(taken)} is set by Tandem, KFP or Kueue (queue names one)")
        return value

    @field_validator("environment")
    @classmethod
    def _nothing_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            is_path = name.endswith("_FILE") and text.startswith("/")
            named = _SECRET_NAME.search(name) and not is_path
            if named or _PASSWORD_IN_URL.search(text) or pattern_in(text):
                raise ValueError(f"{name} looks like a secret: name it below secrets")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Target:
        both = [*self.environment, *self.secrets, *self.config_maps]
        if twice := sorted({name for name in both if both.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is given twice")
        if ours := sorted({*both} & OURS):
            raise ValueError(f"{', '.join(ours)} is set from what the target says, for the records")
        return self

    @model_validator(mode="after")
    def _spreadable(self) -> Target:
        given = {name: item.resource for name, item in self.accelerators.items()}
        if self.nodes and self.workspace is None:
            raise ValueError("nodes need a workspace, the volume that they share with the trainer")
        if "pytorch" in self.nodes and given.get("pytorch") == TPU:
            raise ValueError("nodes of the pytorch trainer have GPUs or CPUs, not google.com/tpu")
        if "tensorflow" in self.nodes and "tensorflow" in given:
            raise ValueError("nodes of the tensorflow trainer have CPUs, and no accelerator")
        return self

    @model_validator(mode="after")
    def _startable(self) -> Target:
        given = {stage: self.of_stage(stage) for stage in DEFAULTS}
        for stage, resources in {**given, "a schedule's task": self.of_launcher()}.items():
            if problem := resources.problem():
                raise ValueError(f"{stage} would ask for {problem}")
        return self

    def of_stage(self, stage: str) -> Resources:
        """Return what a stage gets: what is said of it, then of all, then the default."""
        return layered(DEFAULTS[stage], self.resources, self.stages.get(stage, Resources()))

    def of_launcher(self) -> Resources:
        """Return what a schedule's task gets: what is said of it, then the default."""
        return layered(LAUNCHER, self.launcher)


def load_target(name: str) -> Target:
    """Return the target of a name in infra/settings, or of a file.

    Raises SettingsError for an unknown one, and for one that cannot be.
    """
    path = Path(name) if name.endswith(tuple(SUFFIXES)) else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in FOLDER.glob("*.yaml")))
        raise SettingsError(
            f"there is no target {name}", remedy=f"name one of {known}, or a YAML file"
        )
    try:
        return Target.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(explain(Target, error), remedy=f"correct it in {path}") from None
