import { Effect, Exit, Fiber, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, NotStored } from "leat"
import { faultDriver, PowerLossBroker, powerLossDriver } from "leat/testing"
import { batchOf, type Driver, type RecordBatch, sendEffect } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { isAway, live, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

/** Two processes take turns with one spill, and the second drops what the first has put there. Gives what was warned of; nothing: they did not. */
function takenTurns(seed: number): ReadonlyArray<string> {
  const places = spillPlaces()
  let hasTaken = false
  const lines = spillStory(
    Effect.gen(function* () {
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const one = yield* Scope.provide(openSpilling(places), first)
      places.faults = isAway
      const waiting = yield* Effect.forkDetach(Effect.flip(one.notes.publish(note("k", "0"))))
      yield* until("it is on disk", () => legRow(one.leat)?.spilled === 1)
      const other = yield* Scope.provide(openSpilling(places), second)
      other.notes.offer(note("k", "1"))
      yield* places.disk.losePower(0)
      yield* Effect.sleep("3 seconds")
      places.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
      yield* Effect.sleep("10 seconds")
      hasTaken = legRow(other.leat)?.dropped["Rejected"] === 2
      yield* Scope.close(second, Exit.void)
      if (hasTaken) {
        const told = yield* Fiber.join(waiting)
        expect(told).toBeInstanceOf(NotStored)
        expect(told).toMatchObject({ outcome: { stored: 0, dropped: { takenOver: 1 }, mayBeStored: 1 } })
        expect(told.message).toContain("taken over by another process (1), and what became of it is not known here")
        const row = legRow(one.leat)
        expect({ ...row, dropped: { ...row?.dropped } }).toMatchObject({
          stored: 0,
          spilled: 0,
          fellBack: 0,
          dropped: { takenOver: 1 },
          droppedMayBeStored: 1,
          balanced: true
        })
      } else yield* Fiber.interrupt(waiting)
      yield* Scope.close(first, Exit.void)
    }),
    seed
  )
  return hasTaken ? lines : []
}

/** Events of a process that is dead, as it had handed them to its disk. */
const ofDead = (texts: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const places = spillPlaces()
      const { notes } = yield* Effect.orDie(openSpilling(places))
      places.faults = isAway
      for (const text of texts) yield* Effect.orDie(notes.publish(note("k", text), { level: "durable" }))
      const log = places.disk.disk.topic("far.notes.1.spill").partitions[0]
      return batchOf(log?.read(0n, log.end)?.records ?? [])
    })
  )

/** They land on another disk: that of the process which has the spill now. */
const lands = Effect.fnUntraced(function* (places: ReturnType<typeof spillPlaces>, batch: RecordBatch) {
  const writer = yield* Effect.orDie(memoryTransport(places.disk.disk).openWriter("far.notes.1.spill"))
  yield* Effect.orDie(sendEffect(writer, 0, batch, 0, batch.count, 1000))
})

/** The topic of the spill is an empty one of the same name. */
function makeAnew(places: ReturnType<typeof spillPlaces>): void {
  const topic = places.disk.disk.topic("far.notes.1.spill")
  const anew = new MemoryBroker({ partitions: 1 }).topic("anew")
  Object.assign(topic.partitions, { 0: anew.partitions[0] })
  topic.groups.clear()
}

describe("a leg that spills", () => {
  it.for([
    { name: "at once", afterMs: 100, withinMs: 6000 },
    { name: "hours later", afterMs: 3 * 3_600_000, withinMs: 301_000 }
  ])("sends on what lands in its spill behind its first look, of a process that is dead: $name", (late) => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const dead = yield* ofDead(["0", "1"])
        const { leat, notes } = yield* openSpilling(places)
        yield* notes.publish(note("k", "own"))
        yield* Effect.sleep(late.afterMs)
        yield* lands(places, dead)
        const isSentOn = () => legRow(leat)?.recovered === 2
        yield* until("it is sent on", isSentOn, late.withinMs)
        yield* notes.publish(note("k", "later"))
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["own", "0", "1", "later"])
        expect(legRow(leat)).toMatchObject({ admitted: 2, recovered: 2, stored: 4, spilled: 0, balanced: true })
      })
    )
    // The first two are of the dead one.
    expect(lines.slice(2)).toEqual([
      expect.stringContaining("far.notes.1.spill holds 2 events for far/notes: they are sent before what is published"),
      expect.stringContaining("far.notes.1.spill is empty after")
    ])
  })

  it.for([
    { name: "nothing goes there twice", isLost: false },
    { name: "nor does that keep anything back where the spill is lost meanwhile", isLost: true }
  ])("waits for what is on its way to its cluster before it sends on what has landed: $name", ({ isLost }) => {
    const places = spillPlaces()
    const held: Array<() => void> = []
    let isHolding = false
    spillStory(
      Effect.gen(function* () {
        const dead = yield* ofDead(["0"])
        // The cluster has stored it, and takes its time to say so.
        const { leat, notes } = yield* openSpilling(places, {
          leg: { timeout: "20 seconds" },
          far: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                send: (...[partition, batch, from, to, timeoutMs, answer]) =>
                  writer.send(partition, batch, from, to, timeoutMs, (runs) => {
                    if (isHolding) held.push(() => answer(runs))
                    else answer(runs)
                  })
              }))
          })
        })
        yield* notes.publish(note("k", "1"))
        yield* Effect.sleep("4 seconds")
        isHolding = true
        yield* lands(places, dead)
        notes.offer(note("k", "2"))
        yield* Effect.sleep("3 seconds")
        if (isLost) {
          notes.offer(note("k", "3"))
          makeAnew(places)
          yield* places.disk.losePower(0)
        }
        isHolding = false
        for (const answer of held) answer()
        yield* until("all is stored", () => legRow(leat)?.stored === 3, 30_000)
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["1", "2", isLost ? "3" : "0"])
        expect(held).toHaveLength(1)
      })
    )
  })

  it("does not say that it is stored what another process has sent on", () => {
    // Which of two members gets the spill when its disk is there again is a matter of the order in which they run.
    const lines = Array.from({ length: 40 }, (_, seed) => seed).reduce<ReadonlyArray<string>>(
      (found, seed) => (found.length > 0 ? found : takenTurns(seed)),
      []
    )
    expect(lines.filter((line) => line.includes("another process has sent on 1 events"))).toHaveLength(1)
  })
  it.for(["stored", "Rejected"] as const)(
    "counts what another process has left there meanwhile as recovered: %s",
    (how) => {
      /** Whether the first process had the spill again, and sent on what the second has left. */
      const hasTurned = (seed: number) => {
        const places = spillPlaces()
        let isOurs = false
        spillStory(
          Effect.gen(function* () {
            const [first, second] = [yield* Scope.make(), yield* Scope.make()]
            const one = yield* Scope.provide(openSpilling(places), first)
            places.faults = isAway
            yield* one.notes.publish(note("k", "0"), { level: "durable" })
            places.faults = {}
            yield* until("it is sent on", () => legRow(one.leat)?.stored === 1)
            const other = yield* Scope.provide(openSpilling(places), second)
            places.faults = isAway
            other.notes.offer(note("k", "1"))
            yield* places.disk.losePower(0)
            yield* Effect.sleep("3 seconds")
            for (const text of ["2", "3"]) other.notes.offer(note("k", text))
            yield* Effect.sleep("1 second")
            yield* Scope.close(second, Exit.void)
            const left = legRow(other.leat)?.spilled
            places.faults = how === "stored" ? {} : { send: () => ({ kind: "fail", reason: "Rejected" }) }
            yield* Effect.sleep("20 seconds")
            isOurs = left === 3
            if (isOurs) {
              const all = how === "stored" ? { stored: 4, dropped: {} } : { stored: 1, dropped: { Rejected: 3 } }
              expect(legRow(one.leat)).toMatchObject({ admitted: 1, recovered: 3, ...all, balanced: true })
            }
            yield* Scope.close(first, Exit.void)
          }),
          seed
        )
        return isOurs
      }
      expect(Array.from({ length: 40 }, (_, seed) => seed).some(hasTurned)).toBe(true)
    }
  )

  it("sends on what comes to its disk while it looks what that has, after a loss of power", () => {
    const places = spillPlaces()
    let held: (() => void) | undefined
    const release = () => {
      held?.()
      held = undefined
    }
    spillStory(
      Effect.gen(function* () {
        let isHolding = false
        // The end is known, then the record lands behind it and is answered, and then the end is told.
        const { leat, notes } = yield* openSpilling(places, {
          disk: ({ bounds, openWriter }) => ({
            bounds: (...asked) =>
              Effect.tap(bounds(...asked), () =>
                Effect.delay(Effect.sync(release), 10).pipe(Effect.andThen(Effect.sleep(100)))
              ),
            openWriter: (topic) =>
              Effect.map(openWriter(topic), (writer) => ({
                ...writer,
                send: (...sent) => {
                  if (isHolding) held = () => writer.send(...sent)
                  else writer.send(...sent)
                }
              }))
          })
        })
        places.faults = isAway
        yield* notes.publish(note("k", "0"), { level: "durable" })
        isHolding = true
        notes.offer(note("k", "1"))
        yield* until("it is on its way", () => held !== undefined)
        isHolding = false
        yield* places.disk.losePower(0)
        // Its answer comes in time, whatever is looked at.
        yield* Effect.sleep(1300)
        release()
        yield* Effect.sleep("3 seconds")
        places.faults = {}
        yield* until("all is stored", () => legRow(leat)?.stored === 2, 30_000)
        expect(legRow(leat)).toMatchObject({ spilled: 0, balanced: true })
      })
    )
  })

  it("counts what is left under its stream, also while the cluster of another leg of it is not open", () => {
    const places = spillPlaces()
    const other = new MemoryBroker({ partitions: 1 })
    let slowMs = 0
    const slowly: Driver = {
      ...memoryDriver(other),
      name: "slow",
      open: (...asked) => Effect.delay(memoryDriver(other).open(...asked), slowMs)
    }
    const routes = {
      version: 1,
      clusters: { far: { transport: "memory" }, other: { transport: "slow" }, disk: { transport: "powerLoss" } },
      policies: { leg: [{ on: ["passing"], then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [
            { cluster: "far", topic: "notes", wire: "compact", policy: "leg", spill: { cluster: "disk" } },
            { cluster: "other", topic: "notes", wire: "compact" }
          ]
        }
      ]
    }
    const far = faultDriver(
      memoryDriver(places.far),
      live(() => places.faults)
    )
    const open = Effect.gen(function* () {
      const drivers = [far, slowly, powerLossDriver(places.disk)]
      const leat = yield* Leat.make({ source: "test", routes, drain: "2 seconds", drivers })
      return { leat, notes: yield* leat.stream(noteContract()) }
    })
    spillStory(
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const one = yield* Scope.provide(open, first)
        places.faults = isAway
        for (const text of ["0", "1", "2"]) one.notes.offer(note("k", text))
        yield* until("all is in the spill", () => legRow(one.leat)?.spilled === 3)
        yield* Scope.close(first, Exit.void)
        places.faults = {}
        slowMs = 5000
        const { leat } = yield* open
        yield* Effect.sleep("5 seconds")
        const rows = leat.ledger.snapshot().legs.filter(({ sink }) => sink === "far/notes")
        expect(rows).toMatchObject([{ stream: "test.notes", recovered: 3, stored: 3, balanced: true }])
      })
    )
  })

  it("says that what stood in a topic which was made anew is lost, and tells nobody that it is stored", () => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSpilling(places)
        places.faults = isAway
        const old: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let text = 0; text < 4; text++)
          old.push(
            yield* Effect.forkChild(Effect.flip(notes.publish(note("k", String(text)))), { startImmediately: true })
          )
        yield* until("all is on disk", () => legRow(leat)?.spilled === 4)
        makeAnew(places)
        yield* places.disk.losePower(0)
        yield* Effect.sleep("3 seconds")
        for (const one of old)
          expect(yield* Fiber.join(one)).toMatchObject({ outcome: { stored: 0, dropped: { Corrupt: 1 } } })
        const texts = ["a", "b", "c", "d", "e", "f"]
        for (const text of texts) yield* notes.publish(note("k", text), { level: "durable" })
        places.faults = {}
        yield* until("what came since is stored", () => legRow(leat)?.stored === 6)
        expect(legRow(leat)).toMatchObject({ admitted: 10, spilled: 0, dropped: { Corrupt: 4 }, balanced: true })
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(texts)
        yield* notes.publish(note("k", "g"))
      })
    )
    expect(lines.filter((line) => line.includes("was made anew"))).toHaveLength(1)
  })

  it.for(["its own", "left"] as const)("says that records at the front of it are gone: %s", (whose) => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const one = yield* Scope.provide(openSpilling(places), scope)
        places.faults = isAway
        for (let text = 0; text < 5; text++) yield* one.notes.publish(note("k", String(text)), { level: "durable" })
        if (whose === "left") yield* Scope.close(scope, Exit.void)
        places.disk.disk.topic("far.notes.1.spill").partitions[0]?.trim(2n)
        if (whose === "its own") yield* places.disk.losePower(0)
        const { leat } = whose === "left" ? yield* openSpilling(places) : one
        yield* Effect.sleep("3 seconds")
        places.faults = {}
        yield* until("the rest is stored", () => legRow(leat)?.stored === 3)
        yield* Effect.sleep("1 second")
        const row = { ...legRow(leat), dropped: { ...legRow(leat)?.dropped } }
        expect(row).toMatchObject({ spilled: 0, dropped: whose === "left" ? {} : { Corrupt: 2 }, balanced: true })
      })
    )
    expect(lines.filter((line) => line.includes("another process"))).toEqual([])
    expect(lines.filter((line) => line.includes("cannot be read"))).toEqual([
      "2 records of the spill far.notes.1.spill, partition 0, cannot be read any more: the events are lost, and counted as dropped"
    ])
  })

  it("belongs to one process also where the topic of its owner has more partitions", () => {
    const places = { ...spillPlaces(), disk: new PowerLossBroker({ partitions: 2 }) }
    const lines = spillStory(
      Effect.gen(function* () {
        // A person, or a broker, has made it so.
        expect(places.disk.disk.topic("far.notes.1.spill.owner").partitions).toHaveLength(2)
        const first = yield* Scope.make()
        const one = yield* Scope.provide(openSpilling(places), first)
        places.faults = isAway
        yield* one.notes.publish(note("k", "0"), { level: "durable" })
        const other = yield* openSpilling(places)
        const publishing = yield* Effect.forkChild(other.notes.publish(note("k", "1"), { level: "durable" }))
        yield* Effect.sleep("1 minute")
        expect(legRow(other.leat)?.spilled).toBe(0)
        yield* Fiber.interrupt(publishing)
        yield* Scope.close(first, Exit.void)
      })
    )
    expect(lines.filter((line) => line.includes("has not been given to this process"))).not.toEqual([])
  })
})
