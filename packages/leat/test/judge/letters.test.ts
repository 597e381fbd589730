import type { GroupFact, LetterFact, VerdictKind } from "leat/testing"
import { placeName } from "leat/testing"
import { describe, expect, it } from "vitest"
import { bytes, Hand, idOf } from "./Hand.ts"

const dlq = "notes.readers.dlq"
const replays = "notes.readers.replay"

interface SetAside {
  readonly value?: string
  readonly headers?: LetterFact["headers"]
  readonly replays?: number
  readonly origin?: LetterFact["origin"]
  readonly tag?: string
  readonly isThere?: boolean
}

/** A history with dead letters: events 1, 2 and so on have the sequences and positions 0, 1 and so on. */
class LetterHand extends Hand {
  constructor(group: Partial<Pick<GroupFact, "ending" | "mayRepeat">> = {}) {
    super({ isWhole: true, ending: "deadLetter", ...group })
  }

  #fact(serial: number, { value, headers, tag, ...rest }: SetAside): Omit<LetterFact, "topic" | "origin" | "position"> {
    const own = headers ?? [
      ["leat", bytes("id")],
      ["own", bytes(`${serial}`)]
    ]
    const record = { key: bytes("k"), value: bytes(value ?? `${serial}`), headers: own }
    const seq = serial - 1
    return {
      group: "readers",
      partition: 0,
      id: idOf(seq),
      replays: rest.replays ?? 0,
      tag: tag ?? "Poison",
      ...record
    }
  }

  fails(serial: number, seq: number) {
    this.handle(serial, seq, { isDone: false })
    const failed = this.chronicle.handlings.at(-1)
    if (failed !== undefined) failed.isPoison = true
  }

  setAside(serial: number, changes: SetAside = {}) {
    const { letters, lettersStored } = this.chronicle
    const origin = changes.origin ?? { topic: "notes", partition: 0, position: BigInt(serial - 1) }
    const place = placeName("readers", origin)
    if (!lettersStored.has(place)) lettersStored.set(place, this.chronicle.tick())
    if (changes.isThere === false) return
    letters.push({ ...this.#fact(serial, changes), topic: dlq, position: BigInt(letters.length), origin })
  }

  replay(serial: number, changes: SetAside = {}) {
    const { replays: found } = this.chronicle
    const fact = this.#fact(serial, { replays: 1, ...changes })
    found.push({ ...fact, topic: replays, position: BigInt(found.length), origin: undefined })
  }

  handleReplay(serial: number, position: number, isDone = true, topic = replays) {
    this.handle(serial, serial - 1, { isDone })
    const handling = this.chronicle.handlings.pop()
    if (handling !== undefined) this.chronicle.handlings.push({ ...handling, topic, position: BigInt(position) })
  }
}

interface Case {
  readonly says: string
  readonly kinds: ReadonlyArray<VerdictKind>
  readonly tell: (hand: LetterHand) => void
  readonly ending?: GroupFact["ending"]
}

/** Event 1 fails, and event 2 of its key is behind it. */
const two = (hand: LetterHand) => {
  hand.stored(1, 0)
  hand.stored(2, 1)
  hand.books()
  hand.fails(1, 0)
}

/** Event 1 fails, and event 2 behind it has another key. */
const other = (hand: LetterHand) => {
  hand.stored(1, 0)
  hand.stored(2, 1, "stored", "l")
  hand.books()
  hand.fails(1, 0)
}

const cases: ReadonlyArray<Case> = [
  {
    says: "set aside, and then the next of its key is handled",
    kinds: [],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
    }
  },
  {
    says: "the next of its key is begun before the letter is stored",
    kinds: ["reordered"],
    tell: (hand) => {
      two(hand)
      hand.handle(2, 1)
      hand.setAside(1)
    }
  },
  {
    says: "failed, and settled past without a letter",
    kinds: ["lost", "reordered"],
    tell: (hand) => {
      two(hand)
      hand.handle(2, 1)
    }
  },
  {
    says: "dropped by its policy",
    kinds: [],
    ending: "drop",
    tell: (hand) => {
      two(hand)
      hand.handle(2, 1)
    }
  },
  {
    says: "handled ahead of one that was set aside later, and again by the next holder of the lane",
    kinds: [],
    tell: (hand) => {
      other(hand)
      hand.handle(2, 1, { key: "l" })
      hand.handle(2, 1, { key: "l", member: 1 })
      hand.setAside(1)
    }
  },
  {
    says: "handled ahead of one that was dropped later, and again by the next holder of the lane",
    kinds: [],
    ending: "drop",
    tell: (hand) => {
      hand.stored(1, 0)
      hand.stored(2, 1, "stored", "l")
      hand.books()
      hand.handle(2, 1, { key: "l" })
      hand.fails(1, 0)
      hand.handle(2, 1, { key: "l", member: 1 })
    }
  },
  {
    says: "handled twice behind one that was set aside before",
    kinds: ["doubled"],
    tell: (hand) => {
      other(hand)
      hand.setAside(1)
      hand.handle(2, 1, { key: "l" })
      hand.handle(2, 1, { key: "l", member: 1 })
    }
  },
  {
    says: "stored, and not there any more",
    kinds: ["lost"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.setAside(1, { origin: { topic: "notes", partition: 0, position: 7n }, isThere: false })
      hand.handle(2, 1)
    }
  },
  ...[
    { says: "another value", changes: { value: "other" } },
    { says: "a header less", changes: { headers: [["leat", bytes("id")]] as const } },
    { says: "a place where nothing is", changes: { origin: { topic: "notes", partition: 1, position: 0n } } },
    { says: "no place", changes: { origin: { topic: "else", partition: 0, position: 0n } } },
    {
      says: "a replay that there was not",
      changes: { replays: 1, origin: { topic: replays, partition: 0, position: 0n } }
    }
  ].map(({ says, changes }): Case => ({
    says: `a letter with ${says}`,
    kinds: says.includes("value") || says.includes("header") ? ["garbled"] : ["garbled", "toldWrongly"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.setAside(1, changes)
    }
  })),
  {
    says: "set aside, and it had not failed",
    kinds: ["toldWrongly"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.setAside(2)
    }
  },
  {
    says: "set aside as a crash loop, which nobody has seen fail",
    kinds: [],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.setAside(2, { tag: "CrashLoop" })
    }
  },
  {
    says: "set aside, and its policy is another",
    kinds: ["toldWrongly"],
    ending: "drop",
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
    }
  },
  {
    says: "replayed and handled; another set aside again, with one replay",
    kinds: [],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.fails(2, 1)
      hand.setAside(2)
      hand.replay(1)
      hand.replay(2)
      hand.chronicle.resolved.push({ group: "readers", topic: dlq, partition: 0, position: 0n })
      hand.handleReplay(1, 0)
      hand.handleReplay(2, 1, false)
      hand.setAside(2, { replays: 1, origin: { topic: replays, partition: 0, position: 1n } })
    }
  },
  {
    says: "set aside again, with the number of another replay",
    kinds: ["garbled"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.replay(1)
      hand.handleReplay(1, 0, false)
      hand.setAside(1, { replays: 3, origin: { topic: replays, partition: 0, position: 0n } })
    }
  },
  {
    says: "replayed, and its group did not get it",
    kinds: ["lost"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.replay(1)
    }
  },
  {
    says: "replayed, and its group got it from the topic of another",
    kinds: ["lost", "toldWrongly"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.replay(1)
      hand.handleReplay(1, 0, true, "notes.others.replay")
    }
  },
  {
    says: "a replay that is no letter",
    kinds: ["garbled"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.replay(1, { replays: 2 })
      hand.handleReplay(1, 0)
    }
  },
  {
    says: "told replayed, and no replay is there",
    kinds: ["lost"],
    tell: (hand) => {
      two(hand)
      hand.setAside(1)
      hand.handle(2, 1)
      hand.chronicle.resolved.push({ group: "readers", topic: dlq, partition: 0, position: 0n })
    }
  }
]

describe("the judge of dead letters", () => {
  it.for(cases)("finds $kinds: $says", ({ kinds, tell, ending }) => {
    const hand = new LetterHand(ending === undefined ? {} : { ending })
    tell(hand)
    expect(hand.kinds).toEqual(kinds)
  })
})
