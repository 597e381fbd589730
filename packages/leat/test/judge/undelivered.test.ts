import type { UndeliveredFact, VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bytes, Hand, idOf, sink } from "./Hand.ts"

/** The letter of event 1, as it should be but for the changes. */
function letter(hand: Hand, changes: Partial<UndeliveredFact> = {}): void {
  hand.chronicle.undelivered.push({
    sink,
    partition: 0,
    position: BigInt(hand.chronicle.undelivered.length),
    id: idOf(0),
    serial: 1,
    key: bytes("k"),
    value: bytes("1"),
    headers: [["own", bytes("1")]],
    meantFor: { topic: "notes", partition: 0 },
    stage: "publish",
    tag: "Rejected",
    ...changes
  })
}

/** Event 1 is dead-lettered. */
function setAside(hand: Hand, ...after: ReadonlyArray<"queued" | "inFlight" | "stored" | "deadLettered">): void {
  const call = hand.begin(1)
  hand.leg(0, "queued", "inFlight", "deadLettering", ...after)
  hand.chronicle.end(call, "notStored", idOf(0))
}

const cases: ReadonlyArray<readonly [says: string, kinds: ReadonlyArray<VerdictKind>, tell: (hand: Hand) => void]> = [
  ["as it was offered", [], (hand) => letter(hand)],
  ["not there", ["lost"], () => undefined],
  ["there twice", ["doubled"], (hand) => [letter(hand), letter(hand)]],
  [
    "there twice, after an answer was lost",
    [],
    (hand) => [letter(hand), letter(hand), hand.chronicle.doubts.set(`${sink}.undelivered ${idOf(0)}`, 1)]
  ],
  ["another value", ["garbled"], (hand) => letter(hand, { value: bytes("2") })],
  ["another header", ["garbled"], (hand) => letter(hand, { headers: [["own", bytes("2")]] })],
  ["of another topic", ["garbled"], (hand) => letter(hand, { meantFor: { topic: "others", partition: 0 } })],
  ["of an event that nobody offered", ["garbled"], (hand) => [letter(hand), letter(hand, { id: idOf(7), serial: 7 })]]
]

describe("the judge of what legs set aside", () => {
  it.for(cases)("finds, where the letter is %s: %s", ([, kinds, tell]) => {
    const hand = new Hand()
    setAside(hand, "deadLettered")
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })

  it("finds a letter of an event that is stored, and of which no answer was lost", () => {
    const hand = new Hand()
    setAside(hand, "queued", "inFlight", "stored")
    hand.copy(1, 0, 0)
    letter(hand)
    hand.chronicle.calls.forEach((call) => (call.said = "stored"))
    expect(hand.kinds).toEqual(["toldWrongly"])
  })

  it("finds an audit that sees something else than raw reads", () => {
    const hand = new Hand()
    hand.stored(1, 0)
    const right = { sink, hasFallback: false, events: 1, copies: 0, dropped: 0, missing: 0, isAnnounced: true }
    hand.chronicle.audits.push(right)
    expect(hand.kinds).toEqual([])
    hand.chronicle.audits.push({ ...right, missing: 1 })
    expect(hand.kinds).toEqual(["unbalanced"])
  })
})
