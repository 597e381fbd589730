import type { VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { Hand, idOf, sink } from "./Hand.ts"

interface Case {
  readonly says: string
  readonly kinds: ReadonlyArray<VerdictKind>
  readonly tell: (hand: Hand) => void
  readonly group?: { readonly mayRepeat?: boolean; readonly isWhole?: boolean }
}

/** Pairs of histories: one in which it is wrong, and one that is nearly the same and right. */
const cases: ReadonlyArray<Case> = [
  {
    says: "stored, and the cluster has it",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books()
    }
  },
  {
    says: "stored, and the cluster has no copy",
    kinds: ["lost"],
    tell: (hand) => {
      const call = hand.begin(1)
      hand.leg(0, "queued", "inFlight", "stored")
      hand.chronicle.end(call, "stored", idOf(0))
    }
  },
  {
    says: "handled by a group that settled all",
    group: { isWhole: true },
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.handle(1, 0)
    }
  },
  {
    says: "a group settled all, and one was only begun",
    group: { isWhole: true },
    kinds: ["lost"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.handle(1, 0, { isDone: false })
    }
  },
  {
    says: "two copies after two attempts",
    kinds: [],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "inFlight", "inDoubt", "inFlight", "stored")
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored", idOf(0)))
    }
  },
  {
    says: "two copies after two attempts, of which each had its answer",
    kinds: ["doubled"],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "inFlight", "queued", "inFlight", "stored")
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored", idOf(0)))
    }
  },
  {
    says: "two copies after one attempt",
    kinds: ["doubled"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.copy(1, 0, 1)
    }
  },
  {
    says: "one event under two ids",
    kinds: ["doubled", "garbled"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.copy(1, 1, 2)
    }
  },
  {
    says: "handled again although nothing failed",
    kinds: ["doubled"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.handle(1, 0)
      hand.handle(1, 0, { member: 1 })
    }
  },
  {
    says: "handled again, having been done ahead of one that was not begun",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0, "stored", "j")
      hand.stored(2, 1)
      hand.handle(2, 1, { key: "k" })
      hand.handle(1, 0, { member: 1, key: "j" })
      hand.handle(2, 1, { member: 1, key: "k" })
    }
  },
  {
    says: "handled again, having been done ahead of one that had been done ahead and came again",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0, "stored", "i")
      hand.stored(2, 1, "stored", "j")
      hand.stored(3, 2)
      hand.handle(2, 1, { key: "j" })
      hand.handle(1, 0, { member: 1, key: "i" })
      hand.handle(3, 2, { member: 1 })
      hand.handle(2, 1, { member: 1, key: "j" })
      hand.handle(3, 2, { member: 1 })
    }
  },
  {
    says: "handled again where lanes may be lost",
    group: { mayRepeat: true },
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.handle(1, 0)
      hand.handle(1, 0, { member: 1 })
    }
  },
  {
    says: "begun where lanes may be lost, after it was taken back",
    group: { mayRepeat: true },
    kinds: ["doubled"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.handle(1, 0, { member: 1 })
      hand.handle(1, 0, { isTakenBack: true })
    }
  },
  {
    says: "begun again where lanes may be lost, while a handler of the lost one is still being interrupted",
    group: { mayRepeat: true },
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(1, 0)
      hand.handle(2, 1, { overlaps: true })
      hand.handle(1, 0, { member: 1 })
    }
  },
  {
    says: "begun again where lanes may be lost, by the member whose handler of the lost one is still being interrupted",
    group: { mayRepeat: true },
    kinds: ["reordered"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(1, 0)
      hand.handle(2, 1, { overlaps: true })
      hand.handle(1, 0)
    }
  },
  {
    says: "begun for the first time where lanes may be lost, beside another of its key",
    group: { mayRepeat: true },
    kinds: ["reordered"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(1, 0, { overlaps: true })
      hand.handle(2, 1)
    }
  },
  {
    says: "first copies out of order",
    kinds: ["reordered"],
    tell: (hand) => {
      for (const serial of [1, 2]) hand.begin(serial)
      hand.leg(0, "queued", "inFlight", "stored")
      hand.leg(1, "queued", "inFlight", "stored")
      hand.copy(2, 1, 0)
      hand.copy(1, 0, 1)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored"))
    }
  },
  {
    says: "a second copy behind a later one",
    kinds: [],
    tell: (hand) => {
      hand.begin(1)
      hand.begin(2)
      hand.leg(0, "queued", "inFlight", "inDoubt", "inFlight", "stored")
      hand.leg(1, "queued", "inFlight", "inDoubt", "inFlight", "stored")
      for (const [position, seq] of [0, 1, 0, 1].entries()) hand.copy(seq + 1, seq, position)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored"))
    }
  },
  {
    says: "a later call has the earlier sequence",
    kinds: ["reordered"],
    tell: (hand) => {
      hand.stored(1, 5)
      hand.stored(2, 4)
      hand.chronicle.copies.reverse()
    }
  },
  {
    says: "handled out of order",
    kinds: ["reordered"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(2, 1)
      hand.handle(1, 0)
    }
  },
  {
    says: "two of a key in one member's hands",
    kinds: ["reordered"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(1, 0, { overlaps: true })
      hand.handle(2, 1)
    }
  },
  {
    says: "another value",
    kinds: ["garbled"],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "inFlight", "stored")
      hand.copy(1, 0, 0, { value: "1." })
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored"))
    }
  },
  {
    says: "another key",
    kinds: ["garbled"],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "inFlight", "stored")
      hand.copy(1, 0, 0, { key: "j" })
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "stored"))
    }
  },
  {
    says: "no event that was offered",
    kinds: ["garbled"],
    tell: (hand) => hand.copy(7, 0, 0)
  },
  {
    says: "a handler got it as another",
    kinds: ["garbled"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1)
      hand.handle(2, 0)
    }
  },
  {
    says: "rejected, and stored",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      hand.stored(1, 0, "timeout")
    }
  },
  {
    says: "rejected, and nowhere",
    kinds: [],
    tell: (hand) => {
      hand.chronicle.end(hand.begin(1), "timeout")
      hand.books({ timeout: 1 })
    }
  },
  {
    says: "rejected although there was room",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      const call = hand.begin(1)
      call.room = "every buffer was empty"
      hand.chronicle.end(call, "overflow")
    }
  },
  {
    says: "interrupted, which leaves it open",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0, "gone")
    }
  },
  {
    says: "interrupted, and admitted afterwards",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      hand.chronicle.end(hand.begin(1), "gone")
      hand.leg(0, "queued", "inFlight", "stored")
      hand.copy(1, 0, 0)
    }
  },
  {
    says: "told another id",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      hand.stored(1, 0).saidId = idOf(9)
    }
  },
  {
    says: "told not stored, and stored",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      hand.stored(1, 0, "notStored")
    }
  },
  {
    says: "dropped without having been sent, and there",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "dropped")
      hand.copy(1, 0, 0)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "notStored"))
    }
  },
  {
    says: "dropped in doubt, and there after all",
    kinds: [],
    tell: (hand) => {
      hand.begin(1)
      hand.leg(0, "queued", "inFlight", "inDoubt", "dropped")
      hand.copy(1, 0, 0)
      hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "notStored"))
    }
  },
  {
    says: "a call that never ended",
    kinds: ["hung"],
    tell: (hand) => {
      hand.begin(1)
    }
  },
  {
    says: "a waiting call passed over by many",
    kinds: ["unfair"],
    tell: (hand) => passOver(hand, 5)
  },
  { says: "a waiting call passed over by a few", kinds: [], tell: (hand) => passOver(hand, 4) },
  {
    says: "a call passed over by many before its time was over",
    kinds: ["unfair"],
    tell: (hand) => timeOut(hand, 5, 0)
  },
  {
    says: "a call passed over by many before it was told that its time is over",
    kinds: [],
    tell: (hand) => timeOut(hand, 0, 5)
  },
  {
    says: "the journal left a place where the leg was not",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0, "gone")
      hand.chronicle.move({ leat: 0, sink, stream: "notes", id: idOf(0), bucket: 0, seq: 0 }, "queued", "stored")
    }
  },
  {
    says: "more admitted than the required leg has",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books({ admitted: 2 })
    }
  },
  {
    says: "a call that was interrupted before its first step, and asked for nothing",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.chronicle.end(hand.begin(2), "gone")
      hand.books({ offered: 1 })
    }
  },
  {
    says: "a call that was interrupted when it had found no room, and did not stand in line yet",
    kinds: [],
    tell: (hand) => {
      hand.stored(1, 0)
      const call = hand.begin(2)
      call.attemptedAt = hand.chronicle.tick()
      call.attempts = 1
      hand.chronicle.end(call, "gone")
      hand.books({ offered: 1 })
    }
  },
  {
    says: "a call that was interrupted after it had begun, and is not counted",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      const call = hand.begin(2)
      call.attemptedAt = hand.chronicle.tick()
      call.attempts = 2
      hand.chronicle.end(call, "gone")
      hand.books({ offered: 1 })
    }
  },
  {
    says: "somebody waits, and nobody is there",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books({ waiting: 1 })
    }
  },
  {
    says: "another number offered than calls were made",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books({ offered: 2 })
    }
  },
  {
    says: "a rejection that nobody was told",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books({ timeout: 1 })
    }
  },
  {
    says: "fewer stored than the journal has",
    kinds: ["unbalanced"],
    tell: (hand) => {
      hand.stored(1, 0)
      hand.books({ stored: 0 })
    }
  },
  {
    says: "something was held although nobody needed it",
    kinds: ["leaked"],
    tell: (hand) => hand.chronicle.notice("leaked", "4096 bytes")
  }
]

/** Event 0 waits from its first attempt on; so many that begin later are admitted before it. */
function passOver(hand: Hand, count: number): void {
  const waiting = hand.begin(0)
  waiting.attemptedAt = hand.chronicle.tick()
  for (let serial = 1; serial <= count; serial++) hand.stored(serial, serial - 1)
  hand.leg(count, "queued", "inFlight", "stored")
  hand.copy(0, count, count)
  hand.chronicle.end(waiting, "stored", idOf(count))
}

/** A waiting call whose time is over after so many others were admitted, and which is told so after so many more. */
function timeOut(hand: Hand, before: number, after: number): void {
  const waiting = hand.begin(0)
  waiting.attemptedAt = hand.chronicle.tick()
  for (let serial = 1; serial <= before; serial++) hand.stored(serial, serial - 1)
  hand.chronicle.reject(0, waiting.stream, "overflow")
  hand.chronicle.reject(0, waiting.stream, "timeout")
  for (let serial = before + 1; serial <= before + after; serial++) hand.stored(serial, serial - 1)
  hand.chronicle.end(waiting, "timeout")
}

describe("the judge", () => {
  it.for(cases)("finds $kinds: $says", ({ kinds, tell, group }) => {
    const hand = new Hand(group)
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })

  it("has a case for each verdict", () => {
    const kinds: Record<VerdictKind, true> = {
      lost: true,
      doubled: true,
      reordered: true,
      garbled: true,
      toldWrongly: true,
      hung: true,
      leaked: true,
      unfair: true,
      unbalanced: true
    }
    expect([...new Set(cases.flatMap((one) => one.kinds))].toSorted()).toEqual(Object.keys(kinds).toSorted())
  })
})
