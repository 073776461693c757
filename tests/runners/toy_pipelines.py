"""Pipelines of toy faces."""

from kfp import dsl
from toy_faces import (
    copy,
    describe,
    fail,
    fail_below,
    hold,
    leave,
    make,
    meet_first,
    meet_second,
    note,
    read,
    seal,
    tell,
    train_pytorch,
    witness,
)


@dsl.pipeline(name="chain")
def chain(run: dict, place: str, text: str = "one two"):
    with dsl.ExitHandler(seal(run=run)):
        made = make(place=place, text=text)
        copied = copy(place=place, made=made.outputs["made"])
        copy(place=place, made=copied.outputs["copied"])


@dsl.pipeline(name="meeting")
def meeting(place: str):
    meet_first(place=place)
    meet_second(place=place)


@dsl.pipeline(name="broken")
def broken(run: dict, place: str, kind: str):
    """One branch fails and has two tasks below it; the other goes on."""
    with dsl.ExitHandler(seal(run=run)):
        failed = fail(kind=kind)
        below = copy(place=place, made=failed.outputs["made"]).set_display_name("below")
        copy(place=place, made=below.outputs["copied"])
        made = make(place=place, text="other branch")
        copy(place=place, made=made.outputs["made"])


@dsl.pipeline(name="stubborn")
def stubborn(run: dict, place: str, kind: str, attempts: int):
    with dsl.ExitHandler(seal(run=run)):
        made = make(place=place, text="first")
        again = fail_below(kind=kind, attempts=attempts, made=made.outputs["made"])
        again.set_retry(2, backoff_duration="0s")


@dsl.pipeline(name="held")
def held(run: dict, place: str, deaf: bool = False):
    with dsl.ExitHandler(seal(run=run)):
        made = make(place=place, text="first")
        later = hold(place=place, deaf=deaf, made=made.outputs["made"])
        copy(place=place, made=later.outputs["copied"])


@dsl.pipeline(name="talk")
def talk():
    tell()
    tell().set_env_variable("EXTRA", "given")


@dsl.pipeline(name="hit")
def hit():
    describe(name="x")


@dsl.pipeline(name="leaving")
def leaving(place: str):
    leave(place=place)


@dsl.pipeline(name="witnessed")
def witnessed(place: str, nested: dict, words: list, share: float = 2.0, flag: bool = True):
    with dsl.ExitHandler(note(place=place)):
        made = make(place=place, text="three small words")
        seen = witness(
            place=place,
            count=3,
            share=share,
            flag=flag,
            nested=nested,
            words=words,
            made=made.outputs["made"],
        )
        read(place=place, model=seen.outputs["model"], file=seen.outputs["file"])


@dsl.pipeline(name="torch-alone")
def torch_alone():
    train_pytorch()
