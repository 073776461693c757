"""The DAGs: what runs after what, and which settings each stage reads. Only wiring.

Each call is one stage; a stage's name is its folder in components/. `run` is the run's identity,
which no stage's work depends on. The two trainers do not wait for each other. `importing` is the
way of a model that was trained elsewhere through the same gates. Where and with what a task runs is
said in placement.py.
"""

from kfp import dsl

from components.decide_release.component import decide_release
from components.evaluate_models.component import evaluate_models
from components.import_model.component import import_model
from components.ingest_examples.component import ingest_examples
from components.measure_models.component import measure_models
from components.register_models.component import register_models
from components.seal_run.component import seal_run
from components.train_pytorch.component import train_pytorch
from components.train_tensorflow.component import train_tensorflow
from components.transform_features.component import transform_features
from components.validate_examples.component import validate_examples
from pipelines.placement import place, place_closing


@dsl.pipeline(name="tandem-training", description="Train both, measure both, prove it.")
def training(
    run: dict,  # type: ignore[type-arg]
    source: dict,  # type: ignore[type-arg]
    card: dict,  # type: ignore[type-arg]
    window: dict,  # type: ignore[type-arg]
    schema: str,
    checks: dict,  # type: ignore[type-arg]
    transform: dict,  # type: ignore[type-arg]
    beam: dict,  # type: ignore[type-arg]
    waivers: list,  # type: ignore[type-arg]
    model: dict,  # type: ignore[type-arg]
    train: dict,  # type: ignore[type-arg]
    evaluate: dict,  # type: ignore[type-arg]
    champion: dict,  # type: ignore[type-arg]
    policy: dict,  # type: ignore[type-arg]
    governance: dict,  # type: ignore[type-arg]
    registry: dict,  # type: ignore[type-arg]
) -> None:
    """Wire the ten stages."""
    closing = seal_run(run=run)
    place_closing(closing)
    with dsl.ExitHandler(closing, name="stages"):
        # Rows of the window, joined, labelled and split by span.
        examples = ingest_examples(run=run, source=source, card=card, window=window)
        # Statistics and the first gate.
        validation = validate_examples(
            run=run,
            schema=schema,
            checks=checks,
            transform=transform,
            source=source,
            beam=beam,
            evaluate=evaluate,
            waivers=waivers,
            examples=examples.outputs["examples"],
        )
        # One transform for both frameworks; it refuses examples that no passing validation names.
        features = transform_features(
            run=run,
            transform=transform,
            source=source,
            schema=schema,
            beam=beam,
            train=train,
            examples=examples.outputs["examples"],
            validation=validation.outputs["validation"],
        )
        # The same features, the same batches, at the same time.
        pytorch = train_pytorch(
            run=run,
            model=model,
            train=train,
            features=features.outputs["features"],
            transform_graph=features.outputs["transform_graph"],
        )
        tensorflow = train_tensorflow(
            run=run,
            model=model,
            train=train,
            features=features.outputs["features"],
            transform_graph=features.outputs["transform_graph"],
        )
        # Both bundles, and the champion, on the same raw rows.
        evaluation = evaluate_models(
            run=run,
            evaluate=evaluate,
            beam=beam,
            champion=champion,
            examples=examples.outputs["examples"],
            pytorch_model=pytorch.outputs["pytorch_model"],
            tensorflow_model=tensorflow.outputs["tensorflow_model"],
        )
        # Timed with nothing running beside it; no champion changes it.
        measurements = measure_models(
            run=run,
            evaluate=evaluate,
            examples=examples.outputs["examples"],
            pytorch_model=pytorch.outputs["pytorch_model"],
            tensorflow_model=tensorflow.outputs["tensorflow_model"],
        ).after(evaluation)
        # The policy, and why.
        decision = decide_release(
            run=run,
            policy=policy,
            governance=governance,
            evaluation=evaluation.outputs["evaluation"],
            measurements=measurements.outputs["measurements"],
            pytorch_training=pytorch.outputs["pytorch_training"],
            tensorflow_training=tensorflow.outputs["tensorflow_training"],
        )
        # Fails closed: nothing is registered whose records cannot be proven.
        registration = register_models(
            run=run,
            registry=registry,
            pytorch_model=pytorch.outputs["pytorch_model"],
            tensorflow_model=tensorflow.outputs["tensorflow_model"],
            evaluation=evaluation.outputs["evaluation"],
            decision=decision.outputs["decision"],
        )
        place(examples, validation, features, pytorch, tensorflow)
        place(evaluation, measurements, decision, registration)


@dsl.pipeline(name="tandem-importing", description="Measure a model from elsewhere, prove it.")
def importing(
    run: dict,  # type: ignore[type-arg]
    source: dict,  # type: ignore[type-arg]
    card: dict,  # type: ignore[type-arg]
    window: dict,  # type: ignore[type-arg]
    schema: str,
    checks: dict,  # type: ignore[type-arg]
    transform: dict,  # type: ignore[type-arg]
    beam: dict,  # type: ignore[type-arg]
    waivers: list,  # type: ignore[type-arg]
    imported: dict,  # type: ignore[type-arg]
    evaluate: dict,  # type: ignore[type-arg]
    champion: dict,  # type: ignore[type-arg]
    policy: dict,  # type: ignore[type-arg]
    governance: dict,  # type: ignore[type-arg]
    registry: dict,  # type: ignore[type-arg]
) -> None:
    """Wire the eight stages."""
    closing = seal_run(run=run)
    place_closing(closing)
    with dsl.ExitHandler(closing, name="stages"):
        examples = ingest_examples(run=run, source=source, card=card, window=window)
        validation = validate_examples(
            run=run,
            schema=schema,
            checks=checks,
            transform=transform,
            source=source,
            beam=beam,
            evaluate=evaluate,
            waivers=waivers,
            examples=examples.outputs["examples"],
        )
        # A bundle with a contract, proven on rows that no failed gate stands behind.
        model = import_model(
            run=run,
            imported=imported,
            schema=schema,
            examples=examples.outputs["examples"],
            validation=validation.outputs["validation"],
        )
        evaluation = evaluate_models(
            run=run,
            evaluate=evaluate,
            beam=beam,
            champion=champion,
            examples=examples.outputs["examples"],
            imported_model=model.outputs["imported_model"],
        )
        measurements = measure_models(
            run=run,
            evaluate=evaluate,
            examples=examples.outputs["examples"],
            imported_model=model.outputs["imported_model"],
        ).after(evaluation)
        decision = decide_release(
            run=run,
            policy=policy,
            governance=governance,
            evaluation=evaluation.outputs["evaluation"],
            measurements=measurements.outputs["measurements"],
        )
        registration = register_models(
            run=run,
            registry=registry,
            imported_model=model.outputs["imported_model"],
            evaluation=evaluation.outputs["evaluation"],
            decision=decision.outputs["decision"],
        )
        place(examples, validation, model, evaluation, measurements, decision, registration)
