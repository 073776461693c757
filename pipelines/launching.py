"""The DAG that a schedule runs at its times: one task, which submits the run of that time.

Why: the spans of a run follow from its time, and the digests of its sources and the champion are
known only then, so KFP's own recurring run of the training DAG could not have them.
"""

from kfp import dsl

from components.core.image import BASE_IMAGE
from pipelines.placement import place_launcher


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def launch_run(request: dict, schedule: str, scheduled: str) -> None:  # type: ignore[type-arg]
    """Submit the run of a scheduled time, and wait for its end."""
    from pipelines.kubeflow.launcher import launch

    launch(request, schedule, scheduled)


@dsl.pipeline(name="tandem-launching", description="Submit the run of a scheduled time.")
def launching(request: dict, schedule: str, scheduled: str) -> None:  # type: ignore[type-arg]
    """Wire the one task."""
    place_launcher(launch_run(request=request, schedule=schedule, scheduled=scheduled))
