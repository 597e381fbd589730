/** Histories with retry topics, written by hand. */
import { type MoveFact, moveName, placeName, type VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bytes, Hand, idOf } from "./Hand.ts"

const beginMs = 1_000_000_000

interface Moved {
  readonly tier?: number
  readonly value?: string
  readonly partition?: number
  readonly isThere?: boolean
  readonly delayMs?: number
  readonly origin?: MoveFact["origin"]
  readonly moves?: number
}

/** Events 1, 2 and so on have the sequences and positions 0, 1 and so on; the group has two retry topics. */
class RetryHand extends Hand {
  constructor() {
    super({ isWhole: true, ending: "deadLetter", delaysMs: [1000, 5000] })
    for (const serial of [1, 2]) this.stored(serial, serial - 1)
    this.books()
  }

  fails(serial: number) {
    this.handle(serial, serial - 1, { isDone: false })
  }

  moveOf(serial: number, { tier = 1, delayMs = [1000, 5000][tier - 1] ?? 0, origin, moves = tier }: Moved): MoveFact {
    const place = origin ?? { topic: "notes", partition: 0, position: BigInt(serial - 1) }
    return { origin: place, moves, atMs: beginMs, dueMs: beginMs + delayMs }
  }

  /** It is stored in a retry topic at `beginMs`. */
  move(serial: number, changes: Moved = {}) {
    const { movesStored, retries } = this.chronicle
    const { tier = 1, value, partition = 0, isThere = true } = changes
    const moved = this.moveOf(serial, changes)
    const wall = { ms: beginMs, jumps: 0 }
    const name = moveName("readers", moved.origin, moved.moves)
    if (!movesStored.has(name)) movesStored.set(name, { at: this.chronicle.tick(), wall })
    if (!isThere) return
    retries.push({
      group: "readers",
      topic: `notes.readers.retry.${tier}`,
      tier,
      partition,
      position: BigInt(serial - 1),
      id: idOf(serial - 1),
      replays: 0,
      tag: "Poison",
      key: bytes("k"),
      value: bytes(value ?? `${serial}`),
      headers: [
        ["leat", bytes("id")],
        ["own", bytes(`${serial}`)]
      ],
      moved
    })
  }

  /** It is handled there, so long after it was moved. */
  again(serial: number, afterMs: number, { tier = 1, isDone = true, jumps = 0 } = {}) {
    this.handle(serial, serial - 1, { isDone })
    const handling = this.chronicle.handlings.pop()
    const topic = `notes.readers.retry.${tier}`
    const wall = { ms: beginMs + afterMs, jumps }
    if (handling !== undefined)
      this.chronicle.handlings.push({ ...handling, topic, moved: this.moveOf(serial, { tier }), wall })
  }

  setAside(serial: number) {
    const origin = { topic: "notes", partition: 0, position: BigInt(serial - 1) }
    this.chronicle.lettersStored.set(placeName("readers", origin), this.chronicle.tick())
    const headers = [
      ["leat", bytes("id")],
      ["own", bytes(`${serial}`)]
    ] as const
    const record = { key: bytes("k"), value: bytes(`${serial}`), headers, id: idOf(serial - 1) }
    const place = { group: "readers", topic: "notes.readers.dlq", partition: 0, position: 0n }
    this.chronicle.letters.push({ ...place, ...record, replays: 0, tag: "Poison", origin })
  }
}

interface Case {
  readonly says: string
  readonly kinds: ReadonlyArray<VerdictKind>
  readonly tell: (hand: RetryHand) => void
}

/** Event 1 fails and is moved; event 2 of its key is handled meanwhile. */
const moved = (hand: RetryHand, changes?: Moved) => {
  hand.fails(1)
  hand.move(1, changes)
  hand.handle(2, 1)
}

const cases: ReadonlyArray<Case> = [
  {
    says: "moved, passed by a later one of its key, and handled when it is due",
    kinds: [],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 1000)
    }
  },
  {
    says: "moved twice, and handled",
    kinds: [],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 1000, { isDone: false })
      hand.move(1, { tier: 2 })
      hand.again(1, 5000, { tier: 2 })
    }
  },
  {
    says: "moved, and set aside behind the last retry topic",
    kinds: [],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 1000, { isDone: false })
      hand.setAside(1)
    }
  },
  {
    says: "handled before it is due",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 990)
    }
  },
  {
    says: "handled before it is due by a clock that has jumped",
    kinds: [],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 990, { jumps: 1 })
    }
  },
  { says: "moved, and settled past there", kinds: ["lost"], tell: moved },
  {
    says: "moved, and failed there without going on",
    kinds: ["lost"],
    tell: (hand) => {
      moved(hand)
      hand.again(1, 1000, { isDone: false })
    }
  },
  {
    says: "stored in a retry topic, and not there any more",
    kinds: ["lost"],
    tell: (hand) => {
      moved(hand, { isThere: false })
      hand.again(1, 1000)
    }
  },
  {
    says: "the next of its key is begun before it is moved",
    kinds: ["reordered"],
    tell: (hand) => {
      hand.fails(1)
      hand.handle(2, 1)
      hand.move(1)
      hand.again(1, 1000)
    }
  },
  { says: "moved with other bytes", kinds: ["garbled"], tell: (hand) => wrong(hand, { value: "other" }) },
  { says: "moved to another partition", kinds: ["garbled", "lost"], tell: (hand) => wrong(hand, { partition: 1 }) },
  { says: "moved with another number of moves", kinds: ["garbled"], tell: (hand) => wrong(hand, { moves: 2 }) },
  { says: "moved with another delay", kinds: ["toldWrongly"], tell: (hand) => wrong(hand, { delayMs: 100 }) },
  {
    says: "moved from a place where nothing is",
    kinds: ["garbled"],
    tell: (hand) => wrong(hand, { origin: { topic: "notes", partition: 0, position: 9n } })
  }
]

/** All is well, but a second record says something else of its way. */
function wrong(hand: RetryHand, changes: Moved) {
  moved(hand)
  hand.again(1, 1000)
  hand.move(1, changes)
}

describe("what the judge says of retry topics", () => {
  it.for(cases)("$says", ({ kinds, tell }) => {
    const hand = new RetryHand()
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })
})
