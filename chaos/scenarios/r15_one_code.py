"""R15: two hundred redeem one code in the same moment, five hundred times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from chaos.crowd import ORDINARY, Crowd, run_alone
from chaos.evidence import Evidence
from chaos.products import Products
from chaos.registry import SPA, STRICT, WEB
from chaos.scenario import Run, Scenario, Size
from chaos.town import town_on_sqlite

AT_ONCE = 200
CLIENTS = (WEB, SPA, STRICT)


class OneCode(Scenario):
    number = "R15"
    title = "one code"
    size = Size(rate=5, seconds=600, times=500)
    bounded = Size(rate=5, seconds=3, times=2)
    recovery = 10.0
    mix = ORDINARY

    def fault(self, run: Run) -> None:
        run_alone(self._volleys(run, Crowd(run.town, run.pen, AT_ONCE)))

    async def _volleys(self, run: Run, crowd: Crowd) -> None:
        """The client that had it looks whether anything that it gave is alive."""
        for number in range(run.size.times):
            client_id = CLIENTS[number % len(CLIENTS)]
            code = await crowd.code(client_id)

            async def redeem(
                products: Products, client_id: str = client_id, code: str = code
            ) -> None:
                await products.redeem(client_id, code, meant=True)

            with run.pen.fault("a volley"):
                await crowd.at_once(*[redeem] * AT_ONCE)
            given = [each.families.pop(client_id, None) for each in crowd.products]
            for family in filter(None, given):
                await crowd.product.introspect(family)
                await crowd.product.refresh(family, meant=True)
        crowd.close()

    def judge(self, run: Run, evidence: Evidence) -> Iterator[str]:
        """One of them gets tokens, and loses them, since the others were replays."""
        codes = Counter(each.spends for each in evidence.operations if each.spends[:4] == "code")
        for code in (code for code, uses in codes.items() if uses == AT_ONCE):
            uses = [each for each in evidence.operations if each.spends == code]
            told = Counter((each.status, each.error) for each in uses)
            if told != {(200, ""): 1, (400, "invalid_grant"): AT_ONCE - 1}:
                yield f"{code}: {dict(told)}"
            [family] = {each.family for each in uses}
            over = max(each.end for each in uses)
            if any(
                each.shows == f"family {family}" and each.start > over
                for each in evidence.operations
            ):
                yield f"what {code} gave is alive after its replays"


class OneCodeOnSqlite(OneCode):
    number = "R15-SQLITE"
    title = "one code, on SQLite"
    town = staticmethod(town_on_sqlite)


SCENARIO = OneCode()
MORE = (OneCodeOnSqlite(),)
