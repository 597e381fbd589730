import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Refusal } from "../src/Fault.js"
import type { LaneRow } from "../src/store/groups/groupRows.js"
import { type Claim, Groups } from "../src/store/groups/Groups.js"
import { shareOut } from "../src/store/groups/shareOut.js"
import { OpenStore } from "./support/openStore.js"

const topicOf = (open: OpenStore) => open.store.topics.get("t")

function storeWith(partitions: number, records: number): { open: OpenStore; groups: Groups } {
  const open = new OpenStore()
  open.write((store) => store.topics.create({ topic: "t", partitions }))
  for (let index = 0; index < records; index++) open.append([{ key: "k", value: `${index}` }])
  return { open, groups: new Groups(open.store) }
}

const reading = { drainMs: 1000, from: "earliest" } as const
let ids = 0
const enter = (open: OpenStore, groups: Groups) =>
  open.write(() => {
    groups.enter({ id: ++ids, group: "g", owner: "test", leaseMs: 1000 })
    return ids
  })
const join = (open: OpenStore, groups: Groups) => {
  const id = enter(open, groups)
  open.write(() => groups.join(topicOf(open), "g", id, reading))
  return id
}
const leave = (open: OpenStore, groups: Groups, id: number) => open.write(() => groups.leave(topicOf(open), "g", id))
const lanesOf = (open: OpenStore, groups: Groups) => open.store.look(() => groups.lanes(topicOf(open), "g"))
const claimOf = ({ partition, group, holder = -1, generation }: LaneRow): Claim => ({
  partition,
  group,
  holder,
  generation
})

function onlyLane(open: OpenStore, groups: Groups): LaneRow {
  const [lane] = lanesOf(open, groups)
  if (lane === undefined) throw new Error("no lane was given")
  return lane
}

function isBelieved(claim: () => void): boolean {
  try {
    claim()
    return true
  } catch (error) {
    if (error instanceof Refusal && error.reason === "LaneLost") return false
    throw error
  }
}

describe("a group", () => {
  it("never has two holders of one partition, never goes back, and believes nobody whose lane was given away", () => {
    const step = fc.record({ do: fc.constantFrom("join", "leave", "settle", "release", "take", "late"), at: fc.nat() })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 40 }), (partitions, steps) => {
        const { open, groups } = storeWith(partitions, 20)
        using _ = open
        const members: Array<number> = []
        const old: Array<Claim> = []
        const settled = new Map<number, number>()
        const wrong: Array<string> = []
        for (const one of steps) {
          const lanes = lanesOf(open, groups)
          const lane = lanes[one.at % Math.max(1, lanes.length)]
          for (const each of lanes) if (each.holder !== undefined) old.push(claimOf(each))
          if (one.do === "join" && members.length < 5) members.push(join(open, groups))
          else if (one.do === "leave" && members.length > 0)
            leave(open, groups, members.splice(one.at % members.length, 1)[0] ?? -1)
          else if (lane === undefined) continue
          else if (one.do === "settle" && lane.holder !== undefined && lane.partition === 0)
            open.write(() => groups.settle(claimOf(lane), one.at % 21))
          else if (one.do === "release") open.write(() => groups.release(topicOf(open), claimOf(lane)))
          else if (one.do === "take") open.write(() => groups.take(topicOf(open), claimOf(lane)))
          else if (one.do === "late") {
            const claim = old[one.at % Math.max(1, old.length)]
            const now = lanes.find(({ partition }) => partition === claim?.partition)
            if (claim === undefined || (now?.holder === claim.holder && now.generation === claim.generation)) continue
            if (isBelieved(() => open.write(() => groups.settle(claim, 0)))) wrong.push("a late settle was taken")
          }
          const after = lanesOf(open, groups)
          for (const { partition, holder, state, generation, settled: position } of after) {
            if ((holder === undefined) !== (state === "free")) wrong.push(`${holder} holds a lane that is ${state}`)
            if (holder !== undefined && !members.includes(holder)) wrong.push(`${holder} has left and holds a lane`)
            const before = lanes.find((each) => each.partition === partition)
            const isNew = holder !== undefined && holder !== before?.holder
            if (generation < (before?.generation ?? 0) + (isNew ? 1 : 0)) wrong.push("a generation did not rise")
            if ((position ?? 0) < (settled.get(partition) ?? 0)) wrong.push("a settled position went back")
            settled.set(partition, position ?? 0)
          }
          if (members.length === 0) continue
          // Once everybody has let go of what was revoked, all is shared out, evenly.
          for (let revoked = after; (revoked = revoked.filter(({ state }) => state === "revoked")).length > 0;) {
            for (const each of revoked) open.write(() => groups.release(topicOf(open), claimOf(each)))
            revoked = lanesOf(open, groups)
          }
          const shares = members.map((id) => lanesOf(open, groups).filter(({ holder }) => holder === id).length)
          if (shares.reduce((total, share) => total + share, 0) !== partitions) wrong.push("a partition has no holder")
          if (Math.max(...shares) - Math.min(...shares) > 1) wrong.push(`uneven: ${shares.join(" ")}`)
        }
        expect(wrong).toEqual([])
      }),
      { numRuns: 60 }
    )
  })

  it("counts the holders in a row that vanish at one position with records in their hands", () => {
    const { open, groups } = storeWith(1, 10)
    using _ = open
    const told = () => lanesOf(open, groups).map(({ abandoned, abandonedAt }) => [abandoned, abandonedAt])[0]
    const vanish = (touches: boolean, settles?: number) => {
      const id = join(open, groups)
      const lane = onlyLane(open, groups)
      if (touches) open.write(() => groups.touch(claimOf(lane)))
      if (settles !== undefined) open.write(() => groups.settle(claimOf(lane), settles))
      leave(open, groups, id)
    }
    vanish(true)
    expect(told()).toEqual([1, 0])
    vanish(true)
    expect(told()).toEqual([2, 0])
    // Whoever was given nothing crashed on nothing.
    vanish(false)
    expect(told()).toEqual([2, 0])
    // Whoever lives, and did not drain in time, crashed on nothing either.
    const slow = join(open, groups)
    open.write(() => groups.touch(claimOf(onlyLane(open, groups))))
    open.write(() => groups.takeNoMore(topicOf(open), "g", slow))
    const other = join(open, groups)
    open.write(() => groups.take(topicOf(open), claimOf(onlyLane(open, groups))))
    expect(told()).toEqual([2, 0])
    leave(open, groups, slow)
    leave(open, groups, other)
    vanish(true, 4)
    expect(told()).toEqual([1, 4])
    vanish(true)
    expect(told()).toEqual([2, 4])
    const id = join(open, groups)
    const lane = onlyLane(open, groups)
    expect(lane).toMatchObject({ start: 4, holder: id })
    open.write(() => groups.release(topicOf(open), claimOf(lane)))
    expect(told()?.[0]).toBe(0)
  })

  it("begins again at the earliest where its position does not verify: what was done comes twice, nothing is skipped", () => {
    const { open, groups } = storeWith(1, 10)
    using _ = open
    join(open, groups)
    const lane = onlyLane(open, groups)
    open.write(() => groups.settle(claimOf(lane), 4))
    open.write(({ db }) => db.prepare("UPDATE lane SET settled = 9").run())
    expect(lanesOf(open, groups)[0]).toMatchObject({ settled: undefined, origin: 0, state: "free" })
    open.write((store) => store.quarantine.save())
    expect(open.store.db.prepare("SELECT what FROM quarantine").all()).toMatchObject([{ what: "lane" }])
  })

  it("refuses a position that nothing was ever read at", () => {
    const { open, groups } = storeWith(1, 10)
    using _ = open
    join(open, groups)
    const claim = claimOf(onlyLane(open, groups))
    expect(() => open.write(() => groups.settle(claim, 11))).toThrow("nothing there was ever read")
  })

  it("shares each topic out among the members that read it, and touches no other when one grows, shrinks or is left", () => {
    const { open, groups } = storeWith(4, 0)
    using _ = open
    const topics = ["t", "u", "v"]
    for (const topic of ["u", "v"]) open.write((store) => store.topics.create({ topic, partitions: 4 }))
    const rowsOf = (topic: string) => open.store.look(() => groups.lanes(open.store.topics.get(topic), "g"))
    const holdersOf = (topic: string) => rowsOf(topic).map(({ holder }) => holder)
    const read = (topic: string, id: number) =>
      open.write((store) => groups.join(store.topics.get(topic), "g", id, reading))
    const one = enter(open, groups)
    const two = enter(open, groups)
    for (const topic of topics) expect(read(topic, one)).toBe(true)
    expect(topics.map(holdersOf)).toEqual(Array.from({ length: 3 }, () => [one, one, one, one]))
    const before = [rowsOf("t"), rowsOf("v")]
    read("u", two)
    expect(rowsOf("u").filter(({ state }) => state === "revoked")).toHaveLength(2)
    open.write((store) => groups.leave(store.topics.get("u"), "g", one))
    expect(holdersOf("u")).toEqual([two, two, two, two])
    expect([rowsOf("t"), rowsOf("v")]).toEqual(before)
    // With its last topic it is gone.
    expect(open.store.look(() => groups.members("g").map(({ id }) => id))).toEqual([one, two])
    open.write((store) => groups.leave(store.topics.get("u"), "g", two))
    expect(open.store.look(() => groups.members("g").map(({ id }) => id))).toEqual([one])
    open.write(() => groups.evict("g", one))
    expect([groups.members("g"), holdersOf("t"), holdersOf("v")]).toEqual([
      [],
      Array(4).fill(undefined),
      Array(4).fill(undefined)
    ])
    // Whoever was evicted does not come back by reading one more topic.
    expect([read("u", one), open.store.look(() => groups.readers(topicOf(open), "g"))]).toEqual([false, []])
  })

  it("shares out the lanes that are released at once with the last of them", () => {
    const { open, groups } = storeWith(6, 0)
    const [one, two] = [join(open, groups), join(open, groups)]
    const revoked = lanesOf(open, groups).filter(({ state }) => state === "revoked")
    expect(revoked.map(({ holder }) => holder)).toEqual([one, one, one])
    const holders = () => revoked.map(({ number }) => lanesOf(open, groups)[number]?.holder)
    const [first, second, third] = revoked.map(claimOf)
    if (first === undefined || second === undefined || third === undefined) throw new Error("no lane is revoked")
    open.write(() => groups.release(topicOf(open), first, false))
    open.write(() => groups.take(topicOf(open), second, false))
    expect(holders()).toEqual([undefined, undefined, one])
    // Also where the last of them was lost meanwhile.
    open.write(() => groups.take(topicOf(open), { ...third, generation: third.generation - 1 }))
    expect(holders()).toEqual([two, two, one])
    open.write(() => groups.take(topicOf(open), third))
    expect(holders()).toEqual([two, two, two])
  })

  it("gives the odd partitions of many topics to different members", () => {
    const free = [{ partition: 0, holder: undefined, state: "free" }] as const
    const given = Array.from({ length: 30 }, (_, topic) => shareOut(free, [7, 8, 9], topic).get(0))
    expect([7, 8, 9].map((id) => given.filter((one) => one === id).length)).toEqual([10, 10, 10])
  })
})

interface Lane {
  readonly partition: number
  readonly holder: number | undefined
  readonly state: "free" | "held" | "revoked"
}

/** Every way to give so many partitions to members. */
function* allWays(partitions: number, members: ReadonlyArray<number>): Generator<ReadonlyArray<number>> {
  if (partitions === 0) return yield []
  for (const way of allWays(partitions - 1, members)) for (const member of members) yield [...way, member]
}

const isFair = (way: ReadonlyArray<number>, members: ReadonlyArray<number>) => {
  const shares = members.map((id) => way.filter((one) => one === id).length)
  return Math.max(...shares) - Math.min(...shares) <= 1
}

describe("shares of a topic", () => {
  // Mostly as they were shared out among fewer or more members; also lanes of members that have left, or that are to give them back.
  const laneDrawn = fc.record({
    other: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, fc.integer({ min: 1, max: 4 })),
    state: fc.oneof({ weight: 8, arbitrary: fc.constant("held" as const) }, fc.constantFrom("free", "revoked"))
  })
  const drawn = fc.record({
    given: fc.array(laneDrawn, { maxLength: 5 }),
    before: fc.integer({ min: 1, max: 4 }),
    count: fc.integer({ min: 1, max: 4 }),
    turn: fc.nat(9)
  })

  it("differ by one partition at most, and no other such shares leave more partitions where they are", () => {
    fc.assert(
      fc.property(drawn, ({ given, before, count, turn }) => {
        const members = Array.from({ length: count }, (_, index) => index + 1)
        const lanes = given.map(({ other, state }, partition): Lane => {
          const holder = other ?? (partition % before) + 1
          return { partition, holder: state === "free" ? undefined : holder, state }
        })
        const stayIn = (way: ReadonlyArray<number>) =>
          lanes.filter(({ holder, state, partition }) => state === "held" && way[partition] === holder).length
        const fair = [...allWays(lanes.length, members)].filter((way) => isFair(way, members))
        const target = shareOut(lanes, members, turn)
        const way = lanes.map(({ partition }) => target.get(partition) ?? 0)
        expect([isFair(way, members), stayIn(way)]).toEqual([true, Math.max(...fair.map(stayIn))])
      }),
      { numRuns: 400 }
    )
  })

  it("stay as they are once everybody has what is his", () => {
    fc.assert(
      fc.property(drawn, ({ given, count, turn }) => {
        const members = Array.from({ length: count }, (_, index) => index + 1)
        const free = given.map((_, partition): Lane => ({ partition, holder: undefined, state: "free" }))
        const target = shareOut(free, members, turn)
        const held = free.map(({ partition }): Lane => ({ partition, holder: target.get(partition), state: "held" }))
        expect(shareOut(held, members, turn)).toEqual(target)
      })
    )
  })

  it("are the same for all over as many topics as there are members", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(99),
        (partitions, count, from) => {
          const members = Array.from({ length: count }, (_, index) => index + 1)
          const free = Array.from({ length: partitions }, (_, partition): Lane => ({
            partition,
            holder: undefined,
            state: "free"
          }))
          const given = members.flatMap((_, index) => [...shareOut(free, members, from + index).values()])
          expect(members.map((id) => given.filter((one) => one === id).length)).toEqual(members.map(() => partitions))
        }
      )
    )
  })

  it("let the odd partitions stay with different members, where one more comes", () => {
    const held = [1, 1, 2, 2].map((holder, partition): Lane => ({ partition, holder, state: "held" }))
    const ways = [0, 1, 2].map((topic) => {
      const target = shareOut(held, [1, 2, 3], topic)
      return held.map(({ partition }) => target.get(partition))
    })
    expect(ways).toEqual([
      [1, 1, 2, 3],
      [1, 3, 2, 2],
      [1, 1, 2, 3]
    ])
  })
})
