/** The row of a lane, over all the times that this process has held it. */
import { expect, it } from "vitest"
import { Ledger, type ReadRow } from "../../src/ledger/Ledger.ts"

const row = (counts: Partial<ReadRow>): ReadRow => ({
  group: "g",
  stream: "s",
  lane: "t/0",
  start: 0n,
  end: 10n,
  positions: 10,
  done: 4,
  moved: {},
  deadLettered: {},
  dropped: {},
  duplicate: 0,
  skipped: {},
  parked: 3,
  inFlight: 2,
  unread: 1,
  balanced: true,
  ...counts
})

it("adds up while one holder still ends and the next one has begun", () => {
  const ledger = new Ledger()
  let first = row({ moved: { Bug: 1, Late: 1 } })
  const close = ledger.watchRead(() => first)
  const moved = { Bug: 2 }
  ledger.watchRead(() => row({ start: 4n, end: 5n, positions: 1, done: 0, moved, parked: 0, inFlight: 1, unread: 0 }))
  const both = {
    positions: 11,
    done: 4,
    moved: { Bug: 3, Late: 1 },
    parked: 3,
    inFlight: 3,
    unread: 1,
    start: 4n,
    end: 5n
  }
  expect(ledger.snapshot().lanes).toMatchObject([both])
  first = row({ moved: { Bug: 1, Late: 1 }, end: 4n, positions: 4, parked: 0, inFlight: 0, unread: 0 })
  close()
  expect(ledger.snapshot().lanes).toMatchObject([{ ...both, positions: 5, parked: 0, inFlight: 1, unread: 0 }])
})
