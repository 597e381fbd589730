import type { Place } from "leat"
import type { Copy, VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bytes, Hand, idOf, sink } from "./Hand.ts"

/** Event 1, published by a process whose leg falls back. */
function fell(hand: Hand, back: "redrive" | "stay" = "redrive", ...places: ReadonlyArray<Place>): void {
  hand.chronicle.processes.push({ leat: 0, disk: undefined, isShared: false, isCrashed: false, openedAt: 0 })
  hand.chronicle.fallbacks.set(sink, { sink, back, given: 1 })
  const call = hand.begin(1)
  hand.leg(0, "queued", "inFlight", ...(places.length === 0 ? (["fellBack"] as const) : places))
  hand.chronicle.end(call, "stored", idOf(0))
}

/** A copy of event 1 in the fallback. */
function fallen(hand: Hand): void {
  hand.copy(1, 0, hand.chronicle.fallen.length)
  hand.chronicle.fallen.push(hand.chronicle.copies.pop() as Copy)
}

/** What a process counts that has sent on. */
function sentOn(hand: Hand, { stored = 0, dropped = 0, admitted = 0, fellBack = 0 }): void {
  const counts = { deadLettered: 0, spilled: 0, recovered: stored + dropped }
  hand.chronicle.legBooks.push({ leat: 0, stream: "notes", sink, admitted, stored, fellBack, dropped, ...counts })
}

function letter(hand: Hand): void {
  const { undelivered } = hand.chronicle
  undelivered.push({
    sink,
    partition: 0,
    position: BigInt(undelivered.length),
    id: idOf(0),
    serial: 1,
    key: bytes("k"),
    value: bytes("1"),
    headers: [["own", bytes("1")]],
    meantFor: { topic: "notes", partition: 0 },
    stage: "publish",
    tag: "Rejected"
  })
}

const cases: ReadonlyArray<readonly [says: string, kinds: ReadonlyArray<VerdictKind>, tell: (hand: Hand) => void]> = [
  [
    "sent on and stored",
    [],
    (hand) => {
      fell(hand)
      hand.copy(1, 0, 0)
    }
  ],
  ["told stored, and nowhere", ["lost"], (hand) => fell(hand)],
  [
    "dropped by whoever sends on, who counts it",
    [],
    (hand) => {
      fell(hand)
      sentOn(hand, { dropped: 1, admitted: 1, fellBack: 1 })
    }
  ],
  [
    "dropped by whoever sends on, and nobody was told its id",
    [],
    (hand) => {
      fell(hand)
      hand.chronicle.end(hand.begin(2), "stored")
      hand.leg(1, "queued", "inFlight", "fellBack")
      sentOn(hand, { dropped: 2, admitted: 2, fellBack: 2 })
    }
  ],
  [
    "one of two without an id, told stored",
    ["lost"],
    (hand) => {
      for (const serial of [1, 2]) hand.chronicle.end(hand.begin(serial), "stored")
      hand.leg(1, "queued", "inFlight", "fellBack")
      sentOn(hand, { dropped: 1, admitted: 1, fellBack: 1 })
    }
  ],
  [
    "counted as stored by whoever sends on, and not there",
    ["lost"],
    (hand) => {
      fell(hand)
      sentOn(hand, { stored: 1, admitted: 1, fellBack: 1 })
    }
  ],
  [
    "set aside by whoever sends on",
    [],
    (hand) => {
      fell(hand)
      letter(hand)
    }
  ],
  [
    "counted by nobody when it is sent on",
    ["unbalanced"],
    (hand) => {
      fell(hand)
      hand.copy(1, 0, 0)
      const counts = { stored: 1, deadLettered: 0, dropped: 0, spilled: 0, recovered: 0 }
      hand.chronicle.legBooks.push({ leat: 0, stream: "notes", sink, admitted: 1, fellBack: 1, ...counts })
    }
  ],
  [
    "in the fallback, where it stays",
    [],
    (hand) => {
      fell(hand, "stay")
      fallen(hand)
    }
  ],
  [
    "in the destination alone, although it stays in the fallback",
    ["lost"],
    (hand) => {
      fell(hand, "stay")
      hand.copy(1, 0, 0)
    }
  ],
  [
    "in the fallback, and told to be stored by the destination",
    ["toldWrongly"],
    (hand) => {
      fell(hand, "stay", "stored")
      hand.copy(1, 0, 0)
      fallen(hand)
    }
  ],
  [
    "in both, because the answer of the fallback was lost",
    [],
    (hand) => {
      fell(hand, "stay", "stored")
      hand.copy(1, 0, 0)
      fallen(hand)
      hand.chronicle.doubt(`${sink}.fallback ${idOf(0)}`)
    }
  ],
  [
    "there twice, sent on by one process, and all answers came",
    ["doubled"],
    (hand) => {
      fell(hand)
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
    }
  ],
  [
    "stored by the fallback, whose process crashed before it heard so, sent on by another one that had no answer once, and there twice",
    [],
    (hand) => crashedUnheard(hand, 2)
  ],
  ["the same, and there three times", ["doubled"], (hand) => crashedUnheard(hand, 3)]
]

/** Event 1 falls back, its process crashes before it is told so, and another one sends it on, once without an answer. */
function crashedUnheard(hand: Hand, copies: number): void {
  hand.chronicle.processes.push({ leat: 0, disk: undefined, isShared: false, isCrashed: true, openedAt: 0 })
  hand.chronicle.fallbacks.set(sink, { sink, back: "redrive", given: 1 })
  const call = hand.begin(1)
  hand.leg(0, "queued", "inFlight")
  hand.chronicle.end(call, "gone")
  hand.chronicle.storedInFallback.add(`${sink} ${idOf(0)}`)
  hand.chronicle.doubt(`${sink} ${idOf(0)}`)
  for (let copy = 0; copy < copies; copy++) hand.copy(1, 0, copy)
}

describe("the judge of what fell back", () => {
  it.for(cases)("finds, where it is %s: %s", ([, kinds, tell]) => {
    const hand = new Hand()
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })

  it("finds an event of a fallback behind a later one of its bucket", () => {
    for (const back of ["redrive", "stay"] as const) {
      const hand = new Hand()
      fell(hand, back)
      const call = hand.begin(2)
      hand.leg(1, "queued", "inFlight", "fellBack")
      hand.chronicle.end(call, "stored", idOf(1))
      const own = back === "stay" ? hand.chronicle.fallen : hand.chronicle.copies
      hand.copy(2, 1, 0)
      hand.copy(1, 0, 1)
      if (back === "stay") own.push(...hand.chronicle.copies.splice(0))
      expect({ back, kinds: hand.kinds }).toEqual({ back, kinds: ["reordered"] })
      own.reverse()
      expect({ back, kinds: hand.kinds }).toEqual({ back, kinds: [] })
    }
  })

  it("has the order of each of two fallbacks, and none of both together", () => {
    const told = (clusters: readonly [number, number]) => {
      const hand = new Hand()
      fell(hand)
      const call = hand.begin(2)
      hand.leg(1, "queued", "inFlight", "fellBack")
      hand.chronicle.end(call, "stored", idOf(1))
      hand.copy(2, 1, 0)
      hand.copy(1, 0, 1)
      const [first, second] = hand.chronicle.copies as [Copy, Copy]
      hand.chronicle.fallen.push({ ...first, cluster: clusters[0] }, { ...second, cluster: clusters[1] })
      hand.chronicle.copies.reverse()
      return hand.kinds
    }
    expect([told([1, 1]), told([1, 2])]).toEqual([["reordered"], []])
  })

  it("finds what had fallen back behind what a process published that was begun later", () => {
    const hand = new Hand()
    fell(hand)
    const { chronicle } = hand
    const openedAt = chronicle.tick()
    chronicle.processes.push({ leat: 1, disk: undefined, isShared: false, isCrashed: false, openedAt })
    const own = { serial: 2, leat: 1, stream: "notes", api: "publish", key: "k", value: bytes("2") } as const
    const call = chronicle.begin({ ...own, headers: [["own", bytes("2")]] })
    const id = "later/notes/0/0"
    const leg = { leat: 1, sink, stream: "notes", id, bucket: 0, seq: 0 }
    chronicle.move(leg, undefined, "queued")
    chronicle.move(leg, "queued", "inFlight")
    chronicle.move(leg, "inFlight", "stored")
    chronicle.end(call, "stored", id)
    hand.copy(2, 0, 0)
    hand.copy(1, 0, 1)
    const [later] = chronicle.copies
    if (later !== undefined) chronicle.copies[0] = { ...later, id, lane: "later/notes/0" }
    expect(hand.kinds).toEqual(["reordered"])
    // Of a process that ran already, nobody can say.
    chronicle.processes[1] = { leat: 1, disk: undefined, isShared: false, isCrashed: false, openedAt: 0 }
    expect(hand.kinds).toEqual([])
  })

  it("wants what stays in a fallback from the group that reads it", () => {
    const told = (isHandled: boolean) => {
      const hand = new Hand({ isWhole: true })
      const [group] = hand.chronicle.groups
      if (group !== undefined) hand.chronicle.groups[0] = { ...group, fallback: "c0.notes.1.fallback" }
      fell(hand, "stay")
      fallen(hand)
      if (isHandled) hand.handle(1, 0)
      return hand.kinds
    }
    expect([told(true), told(false)]).toEqual([[], ["lost"]])
  })
})
