"""R16: a hundred refresh by one token in the same moment; chains; refreshes against revocations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chaos.crowd import ORDINARY, Crowd, Deed, run_alone
from chaos.evidence import Evidence
from chaos.history import Operation, fingerprint
from chaos.products import Family, Products
from chaos.registry import SPA, STRICT, WEB
from chaos.scenario import Run, Scenario, Size
from chaos.town import town_on_sqlite

AT_ONCE = 100
GENERATIONS = 4
RACES = 2  # for each volley
WITHIN_GRACE = 11  # the first, and ten more that its answer may have been lost to


class OneRefreshToken(Scenario):
    number = "R16"
    title = "one refresh token"
    size = Size(rate=5, seconds=600, times=500)
    bounded = Size(rate=5, seconds=3, times=2)
    recovery = 10.0
    mix = ORDINARY

    def __init__(self) -> None:
        self._volleys: dict[str, str] = {}

    def fault(self, run: Run) -> None:
        self._volleys.clear()
        run_alone(self._all(run, Crowd(run.town, run.pen, AT_ONCE)))

    async def _all(self, run: Run, crowd: Crowd) -> None:
        for number in range(run.size.times):
            await self._volley(run, crowd, SPA if number % 2 else STRICT)
            await self._chain(crowd)
            for _ in range(RACES):
                await self._race(crowd)
        crowd.close()

    async def _volley(self, run: Run, crowd: Crowd, client_id: str) -> None:
        family = await crowd.family(client_id)
        self._volleys[fingerprint(family.refresh)] = client_id
        copies = [_copy(family) for _ in range(AT_ONCE)]
        with run.pen.fault("a volley"):
            await crowd.at_once(*map(_refreshing, copies))
        rotated = next(each for each in copies if each.refresh != family.refresh)
        await crowd.product.introspect(rotated)
        await crowd.product.refresh(rotated, meant=True)

    async def _chain(self, crowd: Crowd) -> None:
        """The first generation ends all of them, though the fourth was never shown."""
        family = await crowd.family(STRICT)
        first = _copy(family)
        for _ in range(GENERATIONS - 1):
            await crowd.product.refresh(family)
        await crowd.product.refresh(first, meant=True)
        self._volleys[fingerprint(family.refresh)] = ""
        await crowd.product.introspect(family)
        await crowd.product.refresh(family, meant=True)

    async def _race(self, crowd: Crowd) -> None:
        """Nothing is active once the revocation was answered (I4)."""
        family = await crowd.family(WEB)
        refreshing = [_refreshing(_copy(family)) for _ in range(5)]
        await crowd.at_once(*refreshing, lambda products: products.revoke(family), *refreshing)
        await crowd.product.introspect(family)

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        shown: dict[str, list[Operation]] = {each: [] for each in self._volleys}
        for each in evidence.operations:
            if each.generation in shown:
                shown[each.generation].append(each)
        for generation, client_id in self._volleys.items():
            told = Counter((each.status, each.error) for each in shown[generation])
            good = {STRICT: 1, SPA: WITHIN_GRACE, "": 0}[client_id]
            refused = (AT_ONCE if client_id else 1) - good
            expected = Counter({(200, ""): good, (400, "invalid_grant"): refused})
            if told != +expected:
                yield f"{client_id or 'a chain'}: {dict(told)}"
            replayed = shown[generation]
            family, over = replayed[0].family, max(each.end for each in replayed)
            if any(
                each.shows == f"family {family}" and each.start > over
                for each in evidence.operations
            ):
                yield f"{client_id or 'a chain'}: alive after its replays"


def _copy(family: Family) -> Family:
    return Family(family.name, family.client_id, family.access, family.refresh)


def _refreshing(family: Family) -> Deed:
    async def refresh(products: Products) -> None:
        await products.refresh(family, meant=True)

    return refresh


class OneRefreshTokenOnSqlite(OneRefreshToken):
    number = "R16-SQLITE"
    title = "one refresh token, on SQLite"
    town = staticmethod(town_on_sqlite)


SCENARIO = OneRefreshToken()
MORE = (OneRefreshTokenOnSqlite(),)
