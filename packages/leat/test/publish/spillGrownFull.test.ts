/** What was left in a spill when its topic had another number of partitions, on a disk that has no room for a copy of it. */
import { Effect } from "effect"
import type { FaultPlan } from "leat/testing"
import { describe, expect, it } from "vitest"
import { all, grow, grownStory, keys, left, publishing, stored } from "./grownSpills.js"
import { answering, isAway, openSpilling, type SpillPlaces, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const today = "far.notes.4.spill"

/** A disk that takes so many records more into the spill of today. */
const roomFor = (records: number): FaultPlan => {
  let room = records
  return {
    send: ({ topic, count }) => {
      if (topic !== today) return undefined
      if (count > room) return { kind: "fail", reason: "Full" }
      room -= count
      return undefined
    }
  }
}

/** 36 records stand in the spill of one partition, the topic has four, and the disk takes so many of them. */
const leftOnFull = (places: SpillPlaces, room = 0) =>
  Effect.gen(function* () {
    places.faults = isAway
    yield* publishing(places, ["1", "2", "3"])
    grow(places.far, 4)
    places.faults = {}
    places.diskFaults = roomFor(room)
  })

describe("a spill whose topic has got more partitions, on a disk that is full", () => {
  it.each([0, 1, 5, 30])(
    "is sent on from where it is, each key in order and before what is published: room for %i",
    (room) => {
      grownStory((places) =>
        Effect.gen(function* () {
          yield* leftOnFull(places, room)
          yield* publishing(places, ["4", "5"])
          expect(stored(places.far)).toEqual(all(["1", "2", "3", "4", "5"]))
          expect(yield* left(places)(1)).toBe(0)
          expect(yield* left(places)(4)).toBe(0)
        })
      ).forEach((lines) => {
        expect(lines.filter((line) => line.includes("whose disk has no room"))).toEqual([
          expect.stringMatching(
            /^the spill far\.notes\.1\.spill cannot be taken over into the spill far\.notes\.4\.spill, whose disk has no room: .*Full/
          )
        ])
      })
    }
  )

  it("is sent on behind what was copied before the disk was full", () => {
    const texts = Array.from({ length: 50 }, (_, index) => String(index))
    grownStory((places) =>
      Effect.gen(function* () {
        places.faults = isAway
        yield* publishing(places, texts)
        grow(places.far, 4)
        places.faults = {}
        // What a lane gives at once.
        places.diskFaults = roomFor(500)
        yield* publishing(places, ["own"])
        expect(stored(places.far)).toEqual(all([...texts, "own"]))
        expect(yield* left(places)(1)).toBe(0)
      })
    ).forEach((lines) => {
      expect(lines).toContain(
        "100 records of partition 0 of the spill far.notes.1.spill were sent on from where they stood: the disk had no room for them in the spill far.notes.4.spill"
      )
    })
  })

  it("goes to the partitions that each event goes to now, and counts as recovered", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        yield* leftOnFull(places)
        const { leat, notes } = yield* openSpilling(places)
        for (const key of keys) yield* notes.publish(note(key, `${key} 4`), { level: "stored" })
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true })
        expect(legRow(leat)).toMatchObject({ admitted: 12, stored: 48, recovered: 36, spilled: 0 })
        const of = places.far.topic("notes").partitions.map((log) => {
          const texts = (log.read(0n, log.end)?.records ?? []).map(({ value }) =>
            new TextDecoder().decode(value ?? new Uint8Array())
          )
          return keys
            .filter((key) => texts.some((text) => text.includes(`${key} 4`)))
            .map((key) => texts.filter((text) => text.includes(`${key} `)).length)
        })
        expect(of.flat()).toEqual(keys.map(() => 4))
        expect(of.filter((counts) => counts.length > 0).length).toBeGreaterThan(2)
      })
    )
  })

  it("waits for the cluster where that is away too, and says what stands; room that comes is used", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        yield* leftOnFull(places)
        places.faults = isAway
        const { leat, notes } = yield* openSpilling(places)
        notes.offer(note("k0", "k0 4"))
        yield* Effect.sleep("2 minutes")
        const trouble = leat.sinks()[0]?.trouble
        expect(trouble).toContain("waits for the spill far.notes.1.spill")
        expect(trouble).toContain("Full")
        places.diskFaults = {}
        yield* Effect.sleep("1 minute")
        expect(yield* left(places)(1)).toBe(0)
        expect(yield* left(places)(4)).toBe(37)
        places.faults = {}
        yield* until("its own is stored", () => (stored(places.far).get("k0") ?? []).includes("k0 4"))
        expect(stored(places.far).get("k0")).toEqual(["k0 1", "k0 2", "k0 3", "k0 4"])
      })
    )
  })

  it("is sent on by a process that publishes nothing, and drops what the policy drops", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        yield* leftOnFull(places)
        const { leat } = yield* openSpilling(places, {
          far: answering((texts) => texts.map((text) => (text === "k3 2" ? "refused" : "stored")))
        })
        yield* Effect.sleep("2 minutes")
        expect(stored(places.far)).toEqual(new Map([...all(["1", "2", "3"]), ["k3", ["k3 1", "k3 3"]]]))
        expect(yield* left(places)(1)).toBe(0)
        expect(legRow(leat)).toMatchObject({ recovered: 36, stored: 35, dropped: { Rejected: 1 } })
      })
    )
  })

  it("is given back by a process that publishes nothing where the cluster takes nothing of it", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        yield* leftOnFull(places)
        places.faults = {
          send: ({ topic }) => (topic === "notes" ? { kind: "fail", reason: "Throttled" } : undefined)
        }
        yield* openSpilling(places)
        yield* Effect.sleep("2 minutes")
        const { leat, notes } = yield* openSpilling(places)
        notes.offer(note("k0", "k0 4"))
        yield* Effect.sleep("3 minutes")
        expect(leat.sinks()[0]?.trouble).toContain("waits for the spill far.notes.1.spill, which is sent on")
        places.faults = {}
        yield* until("its own is stored", () => (stored(places.far).get("k0") ?? []).includes("k0 4"))
        expect(stored(places.far).get("k0")).toEqual(["k0 1", "k0 2", "k0 3", "k0 4"])
      })
    )
  })

  it("waits where the disk does not take it for another reason, and says so", () => {
    grownStory((places) =>
      Effect.gen(function* () {
        yield* leftOnFull(places)
        places.diskFaults = {
          send: ({ topic }) => (topic === today ? { kind: "fail", reason: "Unavailable" } : undefined)
        }
        const { leat, notes } = yield* openSpilling(places)
        notes.offer(note("k0", "k0 4"))
        yield* Effect.sleep("1 minute")
        expect(leat.sinks()[0]?.trouble).toMatch(
          /waits for the spill far\.notes\.1\.spill, which cannot be taken over: .*Unavailable/
        )
        expect(yield* left(places)(1)).toBe(36)
        places.diskFaults = {}
        yield* until("its own is stored", () => (stored(places.far).get("k0") ?? []).includes("k0 4"), 60_000)
        expect(stored(places.far).get("k0")).toEqual(["k0 1", "k0 2", "k0 3", "k0 4"])
      })
    ).forEach((lines) => {
      expect(lines.filter((line) => line.includes("and is tried again; nothing is sent to far/notes"))).toHaveLength(1)
    })
  })
})
