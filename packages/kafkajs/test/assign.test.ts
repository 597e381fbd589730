import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { assign, type GroupMemberMetadata } from "../src/group/assign.ts"
import {
  type Partitions,
  readAssignment,
  readMemberMetadata,
  writeAssignment,
  writeMemberMetadata
} from "../src/group/memberMetadata.ts"

type Given = ReadonlyMap<string, Partitions>

const member = (id: string, held: ReadonlyArray<number> = [], generation = 1, topics = ["t"]): GroupMemberMetadata => ({
  id,
  topics,
  held: held.length === 0 ? new Map() : new Map([["t", held]]),
  generation
})
const ofTopic = (given: Given, topic = "t") =>
  Object.fromEntries(Array.from(given, ([id, partitions]) => [id, partitions.get(topic) ?? []]))
const assigned = (count: number, ...members: ReadonlyArray<GroupMemberMetadata>) =>
  ofTopic(assign(members, new Map([["t", count]])))

describe("the leader of a group", () => {
  it("shares partitions evenly", () => {
    expect(assigned(5, member("a"), member("b"))).toEqual({ a: [0, 1, 4], b: [2, 3] })
    expect(assigned(1, member("a"), member("b"))).toEqual({ a: [0], b: [] })
  })

  it("leaves with each what it holds, and gives nobody what another has not released", () => {
    expect(assigned(4, member("a", [0, 1, 2, 3]), member("b"))).toEqual({ a: [0, 1], b: [] })
    expect(assigned(4, member("a", [0, 1]), member("b"))).toEqual({ a: [0, 1], b: [2, 3] })
  })

  it("gives a member that wants nothing nothing, and keeps what it still holds from the others", () => {
    expect(assigned(3, member("a", [0, 1], 1, []), member("b", [2]))).toEqual({ a: [], b: [2] })
    expect(assigned(3, member("a", [], 1, []), member("b", [2]))).toEqual({ a: [], b: [0, 1, 2] })
  })

  it("believes the later of two members that claim one partition", () => {
    expect(assigned(2, member("a", [0, 1], 3), member("b", [1], 5))).toEqual({ a: [0], b: [1] })
  })

  it("comes to rest, with all partitions in one hand each, and moves no more than it must", () => {
    const story = fc.tuple(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 })
    )
    fc.assert(
      fc.property(story, ([count, sizes]) => {
        let held = new Map<string, ReadonlyArray<number>>()
        for (const [step, size] of sizes.entries()) {
          const ids = Array.from({ length: size }, (_, index) => `m${index}`)
          held = new Map(ids.map((id) => [id, held.get(id) ?? []]))
          const before = held
          let rounds = 0
          for (;;) {
            const given = assigned(count, ...ids.map((id) => member(id, held.get(id), step)))
            const all = Object.values(given).flat()
            expect(new Set(all).size).toBe(all.length)
            for (const id of ids) {
              for (const partition of given[id] ?? []) {
                const holder = ids.find((other) => held.get(other)?.includes(partition))
                expect(holder === undefined || holder === id).toBe(true)
              }
            }
            const after = new Map(ids.map((id) => [id, given[id] ?? []]))
            const isAtRest = ids.every((id) => String(after.get(id)) === String(held.get(id)))
            held = after
            if (isAtRest) break
            expect(++rounds).toBeLessThan(4)
          }
          const counts = ids.map((id) => held.get(id)?.length ?? 0)
          expect(counts.reduce((sum, one) => sum + one, 0)).toBe(count)
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
          const least = Math.floor(count / size)
          for (const id of ids) {
            const kept = (before.get(id) ?? []).filter((partition) => held.get(id)?.includes(partition)).length
            expect(kept).toBeGreaterThanOrEqual(Math.min(before.get(id)?.length ?? 0, least))
          }
        }
      })
    )
  })

  it("serves topics that it does not want itself", () => {
    const members = [member("a"), { ...member("b"), topics: ["u"] }]
    const given = assign(
      members,
      new Map([
        ["t", 2],
        ["u", 2]
      ])
    )
    expect([ofTopic(given, "t"), ofTopic(given, "u")]).toEqual([
      { a: [0, 1], b: [] },
      { a: [], b: [0, 1] }
    ])
  })
})

describe("what members tell each other", () => {
  it("is read as it was written", () => {
    const metadata = { topics: ["a", "ü"], held: new Map([["a", [3, 1]]]), generation: 12 }
    expect(readMemberMetadata(writeMemberMetadata(metadata))).toEqual(metadata)
    const given = new Map([["a", [0, 2]]])
    expect(readAssignment(writeAssignment(given))).toEqual(given)
    expect(readAssignment(null)).toEqual(new Map())
    expect(readAssignment(Buffer.alloc(0))).toEqual(new Map())
  })

  it("is understood of members of other clients: without what is held, and with more behind it", () => {
    const first = Buffer.from("0000000000010001740000000000", "hex")
    expect(readMemberMetadata(first.subarray(0, 13)).topics).toEqual(["t"])
    // Version 3: held, generation, rack.
    const third = Buffer.from("000300000001000174ffffffff00000001000174000000010000000200000009ffff", "hex")
    expect(readMemberMetadata(third)).toEqual({ topics: ["t"], held: new Map([["t", [2]]]), generation: 9 })
  })
})
