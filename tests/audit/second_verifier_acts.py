"""The second verifier's acts of people: what the page says under "Acts", of the page alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from second_verifier_bytes import Wrong, digest, key_id, need, opened
from second_verifier_standing import ARCHIVE, PROMOTE, ROLL_BACK, Model, Reign

APPROVAL = "https://tandem.invalid/approval/v1"
FIRST = {"approval": 1, "review": 0}  # asked for where the settings say nothing
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Version:
    """A version as its registration has it."""

    record: str
    inputs: Mapping[str, tuple[str, str]]
    submitter: str | None
    decided: str
    asked: Mapping[str, int]

    @property
    def judged(self) -> tuple[str, str]:
        """The digests of its evaluation and bundle."""
        return self.inputs["evaluation"][0], self.inputs["bundle"][0]


@dataclass(frozen=True)
class Approval:
    said: Mapping[str, Any]
    judged: tuple[str, ...]
    actor: str | None
    key: str


class Acts:
    """Takes the records of a log in order."""

    def __init__(self, forms: Mapping[str, Any], is_revoked: Callable[[str], bool]) -> None:
        self.form, self.is_revoked = forms[APPROVAL], is_revoked
        self.registered = dict[str, tuple[dict[str, Any], str]]()
        self.times = dict[str, str]()
        self.approvals, self.people = dict[str, Approval](), list[set[tuple[str, str]]]()
        self.models = dict[str, Model]()

    def take(self, record: str, statement: Mapping[str, Any], made: Any, what: str) -> None:
        said = statement["predicate"]
        audit = said["tandem_audit"]
        if audit["event"] == "ACT":
            self.act(record, said, audit, what)
        elif audit["stage"] == "register_models" and audit["event"] in ("COMPLETE", "CACHED"):
            self.registered[record] = audit, made.get("registration", "")
        self.times[record] = audit["clocks"]["notary"]

    def act(self, record: str, said: Any, audit: Any, what: str) -> None:
        version = self.version(said, audit, what)
        model = self.models.setdefault(said["model"], Model())
        if audit["stage"] == "approve_model":
            self.approve(record, said, audit, version, what)
            return
        if audit["stage"] in (PROMOTE, ROLL_BACK):
            need(not self.is_revoked(version.record), f"{what}: its registration is revoked")
        if audit["stage"] == PROMOTE:
            self.promote(said, audit, version, model, what)
        else:
            self.other(said, audit["stage"], model, what)
        aliases(said, audit["stage"], model.champion, what)
        reign = Reign(said["version"], (record, version.record, *said["approvals"]))
        model.take(audit["stage"], reign)

    def version(self, said: Any, audit: Any, what: str) -> Version:
        """The version that an act is about, whose inputs and run are the act's."""
        inputs = {item["name"]: (item["sha256"], item["record"]) for item in audit["inputs"]}
        record = inputs.get("registration", ("", ""))[1]
        need(record in self.registered, f"{what}: no registration")
        made, output = self.registered[record]
        facts, fed = made["facts"], {i["name"]: (i["sha256"], i["record"]) for i in made["inputs"]}
        roles = sorted(facts["versions"].items())
        found = [item for _, item in roles if str(item["version"]) == said["version"]]
        is_there = facts["model_name"] == said["model"] and found
        need(is_there, f"{what}: it was not registered")
        bundle = f"{found[0]['framework']}_model"
        need({"evaluation", "decision", bundle} <= set(fed), f"{what}: registered of nothing")
        own = {"evaluation": fed["evaluation"], "bundle": fed[bundle]}
        own["registration"] = output, record
        same = inputs == own and audit["run"]["id"] == made["run"]["id"]
        need(same, f"{what}: not the version as it was registered")
        decided = self.times[fed["decision"][1]]
        return Version(record, own, made["actor"]["id"], decided, asked(made["settings"], what))

    def approve(self, record: str, said: Any, audit: Any, version: Version, what: str) -> None:
        key = bytes.fromhex(said["publicKey"])
        statement = opened(said["approval"], key, f"{what}: the approval")
        need(self.form.is_valid(statement), f"{what}: no approval")
        signed = statement["predicate"]
        moment, _ = datetime.fromisoformat(signed["signedAt"]), date.fromisoformat(signed["until"])
        judged = tuple(item["digest"]["sha256"] for item in statement["subject"])
        about = signed["model"], signed["version"], judged
        same = about == (said["model"], said["version"], version.judged)
        need(same, f"{what}: another version was approved")
        late = datetime.fromisoformat(audit["clocks"]["notary"]) + AHEAD
        need(moment <= late, f"{what}: it was signed later than recorded")
        actor = audit["actor"]["id"]
        self.approvals[record] = Approval(signed, judged, actor, key_id(key))
        if actor is not None:
            self.join(("actor", actor), ("key", key_id(key)))

    def join(self, *marks: tuple[str, str]) -> None:
        one = set(marks).union(*(part for part in self.people if part & set(marks)))
        self.people = [part for part in self.people if not part & one] + [one]

    def person(self, kind: str, name: str | None) -> frozenset[tuple[str, str]]:
        mark = (kind, str(name))
        return frozenset(next((part for part in self.people if mark in part), {mark}))

    def promote(self, said: Any, audit: Any, version: Version, model: Model, what: str) -> None:
        need(said["version"] not in model.withdrawn, f"{what}: it was withdrawn")
        again = said["version"] == model.champion and self.reigns(model)
        need(not again, f"{what}: it is the champion")
        need(said["required"] == version.asked, f"{what}: it asks for something else")
        day = audit["clocks"]["notary"][:10]
        for record in said["approvals"]:
            self.counts(record, said, version, day, f"{what}: approval {record[:12]}")
        counted = [self.approvals[record] for record in said["approvals"]]
        least = dict(version.asked)
        if "keys" in said:  # not in version 1
            least["approval"] = max(least["approval"], trusted(said["keys"], counted, what))
        for meaning, number in least.items():
            signed = [item for item in counted if item.said["meaning"] == meaning]
            people = {self.person("key", item.key) for item in signed}
            need(len(people) >= number, f"{what}: too few people signed with meaning {meaning}")

    def counts(self, record: str, said: Any, version: Version, day: str, what: str) -> None:
        need(record in self.approvals, f"{what}: it is none")
        need(not self.is_revoked(record), f"{what}: it is revoked")
        found = self.approvals[record]
        about = found.said["model"], found.said["version"], found.judged
        same = about == (said["model"], said["version"], version.judged)
        need(same, f"{what}: it is of another version")
        known = version.submitter is not None and found.actor is not None
        need(known, f"{what}: nobody knows whose it is")
        own = self.person("actor", version.submitter) == self.person("key", found.key)
        need(not own, f"{what}: it is the submitter's")
        need(found.said["signedAt"] >= version.decided, f"{what}: it came before the decision")
        need(day <= found.said["until"], f"{what}: it holds no more")

    def other(self, said: Any, stage: str, model: Model, what: str) -> None:
        version, unused = said["version"], (said["required"], said.get("keys"))
        asks = said["approvals"] or unused != (None, None)
        need(not asks, f"{what}: it names approvals and is no promotion")
        if stage == ROLL_BACK:
            out = model.archived | model.withdrawn | {model.champion}
            before = [v for v in model.champions if v not in out and self.promoted(model, v)]
            need(before[-1:] == [version], f"{what}: it was not the champion before")
        elif stage == ARCHIVE:
            need(version != model.champion, f"{what}: the champion is not archived")
            need(version not in model.withdrawn, f"{what}: it was withdrawn")

    def promoted(self, model: Model, version: str) -> bool:
        """Whether a promotion of the version counts."""
        return any(self.stands(one) for one in model.promotions if one.version == version)

    def reigns(self, model: Model) -> bool:
        """Whether the champion counts."""
        made = model.made
        return made is not None and self.stands(made) and self.promoted(model, made.version)

    def stands(self, reign: Reign) -> bool:
        return not any(self.is_revoked(record) for record in reign.records)


def asked(settings: Any, what: str) -> dict[str, int]:
    """How many people must sign, by meaning, as the settings of a registration say."""
    registry = settings.get("registry", {})
    need(isinstance(registry, dict), f"{what}: nobody says which approvals are asked for")
    found = registry.get("approvals", FIRST)
    numbers = list(found.values()) if isinstance(found, dict) and set(found) == set(FIRST) else [-1]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise Wrong(f"{what}: nobody says which approvals are asked for")
    return found


def trusted(keys: Any, counted: Iterable[Approval], what: str) -> int:
    """How many approvals are asked for at least, by the keys that a promotion names."""
    need(keys is not None, f"{what}: it names no keys")
    ids = sorted({item.key for item in counted})
    need(keys["counted"] == ids, f"{what}: other keys than those of its approvals")
    some = keys["trusted_sha256"] != digest([])
    need(some or not ids, f"{what}: no key was trusted")
    return int(some)


def aliases(said: Any, stage: str, champion: str | None, what: str) -> None:
    version, moved = said["version"], said["aliases"]
    if stage in (PROMOTE, ROLL_BACK):
        move = {"alias": "champion", "from": champion, "to": version}
        need(moved == [move], f"{what}: another alias moves, or from elsewhere")
        return
    taken = all((item["from"], item["to"]) == (version, None) for item in moved)
    need(taken, f"{what}: it moves an alias")
    lost = version != champion or "champion" in [item["alias"] for item in moved]
    need(lost, f"{what}: the champion keeps its alias")
