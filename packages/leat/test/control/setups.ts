/** States of a setup that are looked at, breadth first: in CI, in the test, and with `--large`. Most setups end before. */
export const statesMax = { ci: 400_000, small: 4000, large: 8_000_000 }

/** What is explored: each setup is small and has what its own faults need. Together they have all faults, and every pair that is dangerous. */
import type { Setup } from "./World.ts"

const plain: Omit<Setup, "name" | "says"> = {
  places: { A: 2, B: 1 },
  buckets: 2,
  offers: [
    [1, 0],
    [0, 1]
  ],
  late: [],
  actors: 1,
  commands: 1,
  doubts: 0,
  crashes: 0,
  suspicions: 0,
  revokes: 0,
  failovers: 0,
  fences: false,
  expiries: undefined,
  forgets: 0,
  deaths: 0,
  abandons: 0,
  pauses: 0,
  isUsed: false,
  neighbour: false
}

const one = { A: 1, B: 1 }

export const setups: ReadonlyArray<Setup> = [
  {
    ...plain,
    name: "merge",
    says: "two partitions become one",
    offers: [
      [1, 0],
      [0, 2]
    ]
  },
  {
    ...plain,
    name: "split",
    says: "one partition becomes two",
    places: { A: 1, B: 2 },
    offers: [
      [1, 1],
      [1, 0]
    ]
  },
  {
    ...plain,
    name: "order",
    says: "three events of one bucket, and answers that are lost",
    offers: [[3, 0]],
    doubts: 2,
    places: one
  },
  {
    ...plain,
    name: "fence",
    says: "the same with brokers that fence",
    offers: [[3, 0]],
    doubts: 2,
    places: one,
    fences: true
  },
  { ...plain, name: "crash", says: "a writer crashes", crashes: 1 },
  {
    ...plain,
    name: "crash in doubt",
    says: "a writer crashes after an answer was lost",
    crashes: 1,
    doubts: 1,
    offers: [[2, 0]],
    places: one
  },
  { ...plain, name: "suspicion", says: "a writer that lives is passed over", suspicions: 1, offers: [[3, 0]] },
  {
    ...plain,
    name: "suspicion back",
    says: "a writer that lives is passed over, and the stream is moved back",
    suspicions: 1,
    commands: 2,
    offers: [[2, 0]],
    places: one
  },
  {
    ...plain,
    name: "sweep",
    says: "two sweep at once, an answer is lost, a coordinator crashes",
    suspicions: 1,
    offers: [[2, 0]],
    actors: 2,
    failovers: 1,
    doubts: 1,
    places: one
  },
  {
    ...plain,
    name: "back",
    says: "the stream is moved, and moved back at any time",
    commands: 2,
    offers: [[2, 0]],
    places: one,
    isUsed: true
  },
  {
    ...plain,
    name: "again",
    says: "the stream is moved back and moved again",
    commands: 3,
    offers: [[1, 0]],
    places: one
  },
  {
    ...plain,
    name: "on",
    says: "the stream is moved, and moved on to a third place",
    commands: 2,
    offers: [[2, 0]],
    places: { A: 1, B: 1, C: 1 }
  },
  {
    ...plain,
    name: "two",
    says: "two command and coordinate at once",
    actors: 2,
    commands: 2,
    offers: [[1, 0]],
    places: one
  },
  {
    ...plain,
    name: "late",
    says: "a writer joins at any time",
    late: [1],
    offers: [
      [1, 0],
      [0, 2]
    ]
  },
  {
    ...plain,
    name: "strict",
    says: "leases are strict and run out, and somebody is taken for dead",
    forgets: 1,
    expiries: 1,
    suspicions: 1,
    offers: [[2, 0]],
    places: one
  },
  { ...plain, name: "revoke", says: "lanes go to the other reader", revokes: 1, offers: [[2, 0]] },
  {
    ...plain,
    name: "dead",
    says: "a place dies, is abandoned, and may come back",
    offers: [[2, 0]],
    deaths: 1,
    abandons: 1,
    places: one
  },
  {
    ...plain,
    name: "dead merge",
    says: "a place of two partitions is abandoned",
    offers: [
      [1, 0],
      [0, 1]
    ],
    abandons: 1
  },
  {
    ...plain,
    name: "dead crash",
    says: "a place is abandoned, and a writer crashes",
    offers: [[2, 0]],
    abandons: 1,
    crashes: 1,
    places: one
  },
  {
    ...plain,
    name: "dead back",
    says: "a place is abandoned, and the stream is moved back and on",
    offers: [[1, 0]],
    commands: 3,
    abandons: 1,
    places: one
  },
  {
    ...plain,
    name: "dead suspicion",
    says: "a place is abandoned while somebody who lives is passed over there",
    offers: [[2, 0]],
    suspicions: 1,
    abandons: 1,
    places: one
  },
  {
    ...plain,
    name: "pause",
    says: "a person holds the stream at any time, and may let it go on",
    offers: [[2, 0]],
    commands: 1,
    pauses: 1,
    places: one
  },
  { ...plain, name: "neighbour", says: "another stream moves too", neighbour: true, actors: 2, offers: [[1, 0]] }
]
