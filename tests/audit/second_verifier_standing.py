"""The second verifier's standing of a model's versions after the acts so far, of the page alone."""

from __future__ import annotations

from dataclasses import dataclass, field

PROMOTE, ROLL_BACK, ARCHIVE, WITHDRAW = (
    f"{kind}_model" for kind in ("promote", "roll_back", "archive", "withdraw")
)


@dataclass(frozen=True)
class Reign:
    """An act that made a version champion, with the records that it stands on."""

    version: str
    records: tuple[str, ...]


@dataclass
class Model:
    champion: str | None = None
    made: Reign | None = None
    champions: list[str] = field(default_factory=list)
    promotions: list[Reign] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)

    def take(self, stage: str, reign: Reign) -> None:
        """Go on with an act that may be."""
        version = reign.version
        if stage == PROMOTE:
            self.champions.append(version)
            self.promotions.append(reign)
            self.archived.discard(version)
        elif stage == ROLL_BACK:
            while self.champions[-1] != version:
                self.champions.pop()
        elif stage == ARCHIVE:
            self.archived.add(version)
        else:
            self.withdrawn.add(version)
            self.champions = [item for item in self.champions if item != version]
        if stage in (PROMOTE, ROLL_BACK):
            self.champion, self.made = version, reign
        elif stage == WITHDRAW and self.champion == version:
            self.champion = self.made = None
