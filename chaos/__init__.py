"""The fault harness: a provider is broken in every way that docs/security.md names while many use
it, and what it promised is checked from what was written down meanwhile.

`python -m chaos R1 R5` runs two scenarios at the size that the table asks for, `--scale 0.1` a
tenth of the time, `--bounded` a few seconds, which is what the tests do.

From the bottom up: `registry` and `directory` say who lives in the town, `town` runs it (real
processes, PostgreSQL, Redis), and `nodes` three servers of it that can each be cut off; `wire`,
`caller`, `browser`, `person`, `products` and `personnel` are what one virtual user does, and `load`
many of them, in a process of its own with open arrivals. Each request is one line of the `history`:
ok, fail, or unknown where there was no answer. Each says where it comes from by an address that
holds its number, so that the audit log tells of it alone. `evidence` is the history with what the
database, letters and log say afterwards, `invariants` are I1 to I9 over it, and `report` is the
table.

A scenario is one file in `scenarios/`, which names its `SCENARIO`:

    class KilledWorkers(Scenario):
        number, title = "R1", "killed workers"
        size = Size(rate=200, seconds=300, times=27)   # the table's
        bounded = Size(rate=50, seconds=5, times=2)    # for the tests
        recovery = 5.0                                 # seconds until all is answered again (I9)

        def fault(self, run):                          # while the load runs
            for _ in run.times():                      # `times`, evenly over the time that is left
                with run.pen.fault("a killed worker"): # the block's end is where it begins to heal
                    kill(random.choice(run.town.workers()))

        def judge(self, run, evidence):                # a sentence for whatever else is wrong
            yield from ()

`town` is what makes another town than the usual one (four workers on PostgreSQL and Redis), as
`pair`, `settings` are the provider's that differ, `mix` other visits than the usual ones. What a
scenario asks by itself it asks by a `Crowd`, or writes with `run.pen`, so that the invariants see
it. It leaves the town as whole as it found it: the tests run several on one.
"""
