import type { Place } from "leat"
import type { Said, VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bytes, Hand, idOf, sink } from "./Hand.ts"

const toSpill: ReadonlyArray<Place> = ["queued", "inFlight", "spilled"]

/** Event 1, published by a process with a disk. */
function spilled(hand: Hand, said: Said, ...after: ReadonlyArray<Place>): void {
  hand.chronicle.processes.push({ leat: 0, disk: 0, isShared: false, isCrashed: false })
  hand.chronicle.owners.set(`0 ${sink}`, 1)
  const call = hand.begin(1)
  hand.leg(0, ...toSpill, ...after)
  hand.chronicle.end(call, said, idOf(0))
}

/** Another process has been given the spill. */
function recovered(hand: Hand, ended: { readonly stored?: number; readonly dropped?: number }): void {
  hand.chronicle.processes.push({ leat: 1, disk: 0, isShared: false, isCrashed: false })
  hand.chronicle.owners.set(`0 ${sink}`, 2)
  const { stored = 0, dropped = 0 } = ended
  const counts = { admitted: 0, fellBack: 0, deadLettered: 0, spilled: 0, recovered: stored + dropped }
  hand.chronicle.legBooks.push({ leat: 1, stream: "notes", sink, stored, dropped, ...counts })
}

function letter(hand: Hand): void {
  const { chronicle } = hand
  chronicle.undelivered.push({
    sink,
    partition: 0,
    position: BigInt(chronicle.undelivered.length),
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
      spilled(hand, "durable", "stored")
      hand.copy(1, 0, 0)
    }
  ],
  ["told to be sent on, and not there", ["lost"], (hand) => spilled(hand, "durable", "stored")],
  ["told stored while it was on the disk", ["lost", "toldWrongly"], (hand) => spilled(hand, "stored")],
  [
    "left to the next process, which has stored it",
    [],
    (hand) => {
      spilled(hand, "durable")
      recovered(hand, { stored: 1 })
      hand.copy(1, 0, 0)
    }
  ],
  [
    "left to the next process, which has dropped it as its policy says",
    [],
    (hand) => {
      spilled(hand, "durable")
      recovered(hand, { dropped: 1 })
    }
  ],
  [
    "left to the next process, which has set it aside",
    [],
    (hand) => {
      spilled(hand, "durable")
      recovered(hand, {})
      letter(hand)
    }
  ],
  [
    "left to the next process, which says that it has stored it",
    ["lost"],
    (hand) => {
      spilled(hand, "durable")
      recovered(hand, { stored: 1 })
    }
  ],
  ["left on the disk, and nobody has it", ["lost"], (hand) => spilled(hand, "durable")],
  [
    "there twice, sent on by one process, and all answers came",
    ["doubled"],
    (hand) => {
      spilled(hand, "durable", "stored")
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
    }
  ],
  [
    "there twice, and an answer was lost",
    [],
    (hand) => {
      spilled(hand, "durable", "stored")
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
      hand.chronicle.doubt(`${sink} ${idOf(0)}`)
    }
  ],
  [
    "there twice, because it was on the disk twice",
    [],
    (hand) => {
      spilled(hand, "durable", "stored")
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
      hand.chronicle.doubt(`${sink}.spill ${idOf(0)}`)
    }
  ],
  [
    "there twice, sent on by two processes",
    [],
    (hand) => {
      spilled(hand, "durable", "stored")
      recovered(hand, { stored: 1 })
      hand.copy(1, 0, 0)
      hand.copy(1, 0, 1)
    }
  ],
  [
    "set aside twice by one process",
    ["doubled"],
    (hand) => {
      spilled(hand, "durable", "deadLettered")
      letter(hand)
      letter(hand)
    }
  ],
  [
    "set aside twice by two processes",
    [],
    (hand) => {
      spilled(hand, "durable", "deadLettered")
      recovered(hand, {})
      letter(hand)
      letter(hand)
    }
  ]
]

/** Events 1 and 2 of a bucket; the second stands before the first. */
function behind(hand: Hand): void {
  const call = hand.begin(2)
  hand.leg(1, ...toSpill, "stored")
  hand.copy(2, 1, 0)
  hand.copy(1, 0, 1)
  hand.chronicle.end(call, "durable", idOf(1))
}

describe("the judge of what was spilled", () => {
  it.for(cases)("finds, where it is %s: %s", ([, kinds, tell]) => {
    const hand = new Hand()
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })

  it("finds what is told durable and was nowhere", () => {
    const hand = new Hand()
    const call = hand.begin(1)
    hand.leg(0, "queued")
    hand.chronicle.end(call, "durable", idOf(0))
    expect(hand.kinds).toEqual(["toldWrongly"])
  })

  it("finds what was sent on behind a later one", () => {
    const hand = new Hand()
    spilled(hand, "durable", "stored")
    behind(hand)
    expect(hand.kinds).toEqual(["reordered"])
  })

  it("lets stand behind a later one what a process had dropped out of the spill and not settled", () => {
    const hand = new Hand()
    spilled(hand, "durable", "dropped")
    behind(hand)
    expect(hand.kinds).toEqual(["reordered"])
    recovered(hand, { stored: 1 })
    expect(hand.kinds).toEqual([])
  })

  it("finds what one process has left stored behind what the next one has published", () => {
    const hand = new Hand()
    spilled(hand, "durable")
    recovered(hand, { stored: 1 })
    const call = hand.chronicle.begin({
      serial: 2,
      leat: 1,
      stream: "notes",
      api: "publish",
      key: "k",
      value: bytes("2"),
      headers: [["own", bytes("2")]]
    })
    const id = "later/notes/0/0"
    for (const [from, to] of [
      [undefined, "queued"],
      ["queued", "inFlight"],
      ["inFlight", "stored"]
    ] as const)
      hand.chronicle.move({ leat: 1, sink, stream: "notes", id, bucket: 0, seq: 0 }, from, to)
    hand.chronicle.end(call, "stored", id)
    hand.chronicle.legBooks.splice(0)
    hand.copy(2, 0, 0)
    hand.copy(1, 0, 1)
    const [own] = hand.chronicle.copies
    if (own !== undefined) hand.chronicle.copies[0] = { ...own, id, lane: "later/notes/0" }
    expect(hand.kinds).toEqual(["reordered"])
    hand.chronicle.copies.reverse()
    expect(hand.kinds).toEqual([])
  })

  it("lets a crash lose what was in memory, and nothing that was on the disk", () => {
    const hand = new Hand()
    spilled(hand, "durable")
    hand.begin(2)
    hand.leg(1, "queued")
    hand.chronicle.calls.forEach((call) => hand.chronicle.end(call, "gone"))
    for (const fact of hand.chronicle.processes) fact.isCrashed = true
    recovered(hand, { stored: 1 })
    hand.copy(1, 0, 0)
    expect(hand.kinds).toEqual([])
    hand.chronicle.copies.splice(0)
    expect(hand.kinds).toEqual(["lost"])
  })

  it("finds a process that ended in peace and left an event nowhere", () => {
    const hand = new Hand()
    hand.chronicle.processes.push({ leat: 0, disk: undefined, isShared: false, isCrashed: false })
    const call = hand.begin(1)
    hand.leg(0, "queued")
    hand.chronicle.end(call, "admitted", idOf(0))
    hand.books({ stored: 0 })
    expect(hand.kinds).toEqual(["leaked"])
  })

  it.for<readonly [says: string, isRight: boolean, counts: object]>([
    ["as they are", true, { stored: 1, spilled: 1 }],
    ["as if it had been stored", false, { stored: 2 }],
    ["as if nothing had been spilled", false, { stored: 1 }],
    ["with one that was recovered and stored", true, { stored: 2, spilled: 1, recovered: 1 }],
    ["with one that was recovered and has not ended", false, { stored: 1, spilled: 1, recovered: 1 }],
    ["with more stored than recovered", false, { stored: 3, spilled: 1, recovered: 1 }]
  ])("finds books that count %s right: %s", ([, isRight, counts]) => {
    const hand = new Hand()
    spilled(hand, "durable")
    hand.copy(1, 0, 0)
    const call = hand.begin(2)
    hand.leg(1, "queued", "inFlight", "stored")
    hand.copy(2, 1, 1)
    hand.chronicle.end(call, "stored", idOf(1))
    const none = { fellBack: 0, deadLettered: 0, dropped: 0, spilled: 0, recovered: 0 }
    hand.chronicle.legBooks.push({ leat: 0, stream: "notes", sink, admitted: 2, stored: 0, ...none, ...counts })
    expect(hand.kinds).toEqual(isRight ? [] : ["unbalanced"])
  })
})
