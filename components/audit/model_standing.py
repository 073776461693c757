"""One model's versions by the acts so far: the champion, those before, and what is out of use."""

from __future__ import annotations

from dataclasses import dataclass, field

from components.audit.acts import ARCHIVE, PROMOTE, ROLL_BACK, WITHDRAW, Act
from components.audit.predicates import APPROVE


@dataclass
class ModelStanding:
    """One model's versions: the champion, those before it in order, and what is out of use.

    `made_champion` is the act that made the champion what it is, `promotions` are all of a version.
    """

    champion: str | None = None
    reigns: list[str] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    last: Act | None = None
    made_champion: Act | None = None
    promotions: dict[str, list[Act]] = field(default_factory=dict)

    @property
    def former(self) -> list[str]:
        """The champions before this one that are still in use, the newest first."""
        out_of_use = self.archived | self.withdrawn | {self.champion}
        return [item for item in reversed(self._reigns_before()) if item not in out_of_use]

    def take(self, act: Act) -> None:
        """Change as an act says."""
        version = act.version
        if act.kind in (PROMOTE, ROLL_BACK):
            self.made_champion = act
        if act.kind == PROMOTE:
            self.champion = version
            self.reigns.append(version)
            self.archived.discard(version)
            self.promotions.setdefault(version, []).append(act)
        elif act.kind == ROLL_BACK:
            self.reigns = [*_up_to(version, self._reigns_before()), version]
            self.champion = version
        elif act.kind == ARCHIVE:
            self.archived.add(version)
        elif act.kind == WITHDRAW:
            self.withdrawn.add(version)
            self.reigns = [item for item in self.reigns if item != version]
            self.champion = None if self.champion == version else self.champion
        if act.kind != APPROVE:
            self.last = act

    def _reigns_before(self) -> list[str]:
        """Return the reigns that ended before the champion's."""
        before = list(self.reigns)
        while before and before[-1] == self.champion:
            before.pop()
        return before


def _up_to(version: str, reigns: list[str]) -> list[str]:
    """Return the reigns before a version's last one; all where it has none."""
    last = max((place for place, item in enumerate(reigns) if item == version), default=len(reigns))
    return reigns[:last]
