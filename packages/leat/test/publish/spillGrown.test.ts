/** What was left in a spill when its topic had another number of partitions: the next process sends it, before its own. */
import { Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import type { MemoryPartition } from "../../src/transport/memory/MemoryPartition.js"
import { noteContract } from "../contracts/Note.js"
import { all, grow, grownStory, keys, left, publishing, stored } from "./grownSpills.js"
import { isAway, openSpilling, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

describe("a spill whose topic has got more partitions", () => {
  it("is sent on by the next process, each key in order and before what that publishes", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1", "2", "3"])
        expect(yield* left(places)(1)).toBe(36)
        grow(places.far, 4)
        places.faults = {}
        yield* publishing(places, ["4", "5"])
        expect(stored(places.far)).toEqual(all(["1", "2", "3", "4", "5"]))
        expect(yield* left(places)(1)).toBe(0)
        expect(yield* left(places)(4)).toBe(0)
      })
    ).forEach((lines) => {
      expect(lines.filter((line) => line.includes("taken over into"))).toEqual([
        "36 records of the spill far.notes.1.spill are taken over into the spill far.notes.4.spill: far/notes had 1 partitions then, and has 4 now"
      ])
    })
  })

  it("is sent on where the partitions are those that each event goes to now", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1"])
        grow(places.far, 4)
        places.faults = {}
        yield* publishing(places, ["2"])
        const where = (text: string) =>
          places.far.topic("notes").partitions.map((log) => {
            const notes = (log.read(0n, log.end)?.records ?? []).flatMap(({ value }) =>
              value === null ? [] : [noteContract().decode(value)]
            )
            return new Set(notes.filter((one) => one.text === `${one.key} ${text}`).map(({ key }) => key))
          })
        expect(where("1")).toEqual(where("2"))
        expect(where("2").filter(({ size }) => size > 0).length).toBeGreaterThan(2)
      })
    )
  })

  it("is sent on step by step, the oldest first, also where it got more partitions twice in one outage", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        for (const [index, partitions] of [1, 2, 4].entries()) {
          grow(places.far, partitions)
          // As one that cannot list what is there: it takes nothing over.
          yield* publishing(places, [String(index)], { disk: () => ({ topics: Effect.succeed([]) }) })
          expect(yield* left(places)(partitions)).toBe(12)
        }
        grow(places.far, 8)
        places.faults = {}
        yield* publishing(places, ["3"])
        expect(stored(places.far)).toEqual(all(["0", "1", "2", "3"]))
        for (const partitions of [1, 2, 4, 8]) expect(yield* left(places)(partitions)).toBe(0)
      })
    )
  })

  it("is sent on by a process that publishes nothing", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1"])
        grow(places.far, 2)
        places.faults = {}
        yield* openSpilling(places)
        yield* Effect.sleep("40 seconds")
        expect(stored(places.far)).toEqual(all(["1"]))
        expect(yield* left(places)(1)).toBe(0)
      })
    )
  })

  it("is counted as recovered, and no event of it is lost or twice in the books", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1", "2"])
        grow(places.far, 2)
        places.faults = {}
        const { leat, notes } = yield* openSpilling(places)
        yield* notes.publish(note("k0", "own"), { level: "stored" })
        yield* until("all are stored", () => legRow(leat)?.recovered === 24)
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true })
        expect(legRow(leat)).toMatchObject({
          admitted: 1,
          stored: 25,
          recovered: 24,
          spilled: 0
        })
      })
    )
  })

  it("waits for a process that has it, and not for long; what that leaves is sent when it has ended", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        const first = yield* Scope.make()
        const { notes } = yield* Scope.provide(openSpilling(places), first)
        for (const key of keys) yield* notes.publish(note(key, `${key} 1`), { level: "durable" })
        grow(places.far, 2)
        const { leat, notes: second } = yield* openSpilling(places)
        second.offer(note("k0", "k0 2"))
        yield* Effect.sleep("20 seconds")
        expect(leat.sinks()[0]?.trouble).toContain("waits for the spill far.notes.1.spill")
        yield* Effect.sleep("20 seconds")
        places.faults = {}
        yield* until("its own is stored", () => (stored(places.far).get("k0") ?? []).includes("k0 2"))
        yield* Scope.close(first, Exit.void)
        yield* Effect.sleep("10 minutes")
        expect(new Set(stored(places.far).keys())).toEqual(new Set(keys))
        expect(yield* left(places)(1)).toBe(0)
      })
    ).forEach((lines) => {
      expect(lines.filter((line) => line.includes("belongs to another process still"))).toHaveLength(1)
    })
  })

  it("keeps what the spill of today refuses, says so, and loses nothing of it", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1"])
        grow(places.far, 2)
        places.faults = {}
        let asked = 0
        places.diskFaults = {
          send: ({ topic, count }) => {
            if (topic !== "far.notes.2.spill") return undefined
            asked += count
            return { kind: "fail", reason: "TooLarge" }
          }
        }
        yield* publishing(places, ["2"])
        expect(yield* left(places)(1)).toBe(12)
        // Of each partition one record, with each look.
        expect(asked).toBe(1)
        places.diskFaults = {}
        yield* publishing(places, ["3"])
        expect(yield* left(places)(1)).toBe(0)
        expect(new Set((stored(places.far).get("k3") ?? []).values())).toEqual(new Set(["k3 1", "k3 2", "k3 3"]))
      })
    ).forEach((lines) => {
      expect(
        lines.some((line) => /keeps what it holds of partition 0 from position 0 on: .* refuses it/.test(line))
      ).toBe(true)
    })
  })

  it.each([5, 12])("says how much of it cannot be read any more: %i", (gone) => {
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, ["1"])
        grow(places.far, 2)
        places.faults = {}
        const log = places.disk.disk.topic("far.notes.1.spill").partitions[0] as MemoryPartition
        log.trim(BigInt(gone))
        yield* publishing(places, ["2"])
        expect([...stored(places.far).values()].flat().length).toBe(12 - gone + 12)
      })
    ).forEach((lines) => {
      expect(lines).toContain(
        `${gone} records of partition 0 of the spill far.notes.1.spill cannot be read: events for far/notes that stood there are lost`
      )
    })
  })
})
