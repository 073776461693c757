"""Beam's options and runners are built from settings, checked, and nothing is fetched for it."""

from __future__ import annotations

import pytest

from components.core.data_settings import Beam
from components.core.errors import PlatformError, SettingsError

pytestmark = pytest.mark.slow
COMPLETE = {
    "FnApiRunner": {},
    "PortableRunner": {"job_endpoint": "localhost:8099", "environment_type": "LOOPBACK"},
    "FlinkRunner": {
        "job_endpoint": "localhost:8099",
        "flink_master": "http://flink:8081",
        "parallelism": "8",
    },
    "SparkRunner": {
        "spark_job_server_jar": "/jars/spark-job-server.jar",
        "spark_master_url": "spark://spark:7077",
    },
    "DataflowRunner": {
        "project": "a-project",
        "region": "europe-west1",
        "temp_location": "gs://a-bucket/temp",
        "max_num_workers": "20",
        "streaming": "false",
    },
}


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_every_runner_is_built_with_its_options(name: str) -> None:
    from apache_beam.pipeline import Pipeline

    from components.core.beam_engine import pipeline_options, runner

    beam = Beam.model_validate({"runner": name, "options": COMPLETE[name]})
    options = pipeline_options(beam)
    built = runner(beam)
    assert type(built).__name__ == name
    values = options.get_all_options(retain_unknown_options=False)
    wanted = {key: value for key, value in COMPLETE[name].items() if key != "streaming"}
    assert {key: str(values[key]) for key in wanted} == wanted
    assert values["streaming"] is False
    assert values["pipeline_type_check"] is False
    if name != "DataflowRunner":  # whose pipeline asks Google's metadata server, 100 s without one
        assert Pipeline(runner=built, options=options).runner is built


def test_an_unknown_option_is_refused_with_the_nearest_right_name() -> None:
    from components.core.beam_engine import pipeline_options

    with pytest.raises(SettingsError, match="no option max_num_worker") as caught:
        pipeline_options(Beam(options={"max_num_worker": "3"}))
    assert caught.value.remedy == "did you mean max_num_workers?"


def test_a_value_that_beam_cannot_read_is_refused_without_showing_it() -> None:
    from components.core.beam_engine import pipeline_options

    with pytest.raises(SettingsError, match="cannot read the value of its option parallelism") as e:
        pipeline_options(Beam(options={"parallelism": "secret"}))
    assert "secret" not in e.value.message + e.value.remedy
    with pytest.raises(SettingsError, match="option flink_version"):
        pipeline_options(Beam(options={"flink_version": "0.1"}))


def test_a_switch_takes_true_or_false() -> None:
    from apache_beam.options.pipeline_options import StandardOptions

    from components.core.beam_engine import pipeline_options

    on = pipeline_options(Beam(options={"streaming": "true"}))
    assert on.view_as(StandardOptions).streaming is True
    with pytest.raises(SettingsError, match="streaming is a switch"):
        pipeline_options(Beam(options={"streaming": "yes"}))


def test_the_type_check_can_be_asked_for() -> None:
    from apache_beam.options.pipeline_options import TypeOptions

    from components.core.beam_engine import pipeline_options

    options = pipeline_options(Beam(options={"no_pipeline_type_check": "false"}))
    assert options.view_as(TypeOptions).pipeline_type_check is True


def test_the_runner_is_a_setting_and_not_an_option() -> None:
    from components.core.beam_engine import pipeline_options

    with pytest.raises(SettingsError, match="names a runner"):
        pipeline_options(Beam(options={"runner": "FnApiRunner"}))


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("PortableRunner", "job_endpoint"),
        ("FlinkRunner", "job_endpoint or flink_job_server_jar"),
        ("SparkRunner", "job_endpoint or spark_job_server_jar"),
        ("DataflowRunner", "project"),
    ],
)
def test_a_runner_without_what_it_needs_is_refused(name: str, missing: str) -> None:
    from components.core.beam_engine import pipeline_options

    with pytest.raises(SettingsError, match=f"{name} needs the option {missing}"):
        pipeline_options(Beam.model_validate({"runner": name}))


def test_a_job_service_that_does_not_answer_is_a_matter_for_the_operator() -> None:
    import apache_beam

    from components.core.beam_engine import pipeline

    options = {"job_endpoint": "localhost:1", "job_server_timeout": "1"}
    options |= {"environment_type": "LOOPBACK"}
    absent = Beam.model_validate({"runner": "PortableRunner", "options": options})
    with (
        pytest.raises(PlatformError, match="job service of PortableRunner did not answer"),
        pipeline(absent) as lent,
    ):
        _ = lent | apache_beam.Create([1])
