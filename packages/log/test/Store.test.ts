import { Buffer } from "node:buffer"
import fc from "fast-check"
import { Wire } from "./support/Wire.js"
import { describe, expect, it } from "vitest"
import { Dirt, finish, rewrite, survey, type Survey } from "../src/store/compaction.js"
import { replayHeader } from "leat/transport"
import { positionAt } from "../src/store/read.js"
import { retain, trim } from "../src/store/retention.js"
import { compareTopic } from "../src/store/tables/Topics.js"
import { Machine } from "./support/Machine.js"
import { noLimits, type OpenStore, storeWithTopic } from "./support/openStore.js"

const small = fc.array(fc.nat(12), { minLength: 1, maxLength: 6 })
const positionsOf = (open: OpenStore, from = 0) =>
  open.read(from).flatMap(({ records }) => records.map(({ position }) => Number(position)))

function compact(open: OpenStore, step: () => void = () => undefined): void {
  const known: Survey = { last: new Map(), end: open.store.look(() => open.store.heads.get(0).cleaned) }
  while (open.store.look(() => survey(open.store, 0, known))) step()
  for (let at: number | undefined = 0; at !== undefined; step()) {
    const from: number = at
    at = open.write((store) => rewrite(store, 0, known, from, 256))
  }
  open.write((store) => finish(store, 0, known))
}

describe("event ids", () => {
  it("are taken once each, in whatever order they come, by whichever process, across restarts", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(small, fc.nat(2)), { maxLength: 25 }), (batches) => {
        using open = storeWithTopic()
        const known = new Set<string>()
        for (const [index, [seqs, bucket]] of batches.entries()) {
          if (index % 5 === 4) open.reopen()
          const { duplicates } = open.append(seqs.map((seq) => Wire.event(bucket, seq)))
          const expected = seqs.flatMap((seq, at) => {
            const id = `${bucket}/${seq}`
            if (known.has(id)) return [at]
            known.add(id)
            return []
          })
          expect(duplicates).toEqual(expected)
        }
        const values = open
          .read()
          .flatMap(({ records }) => records.map(({ value }) => Buffer.from(value ?? []).toString()))
        expect(values.toSorted()).toEqual([...known].toSorted())
      }),
      { numRuns: 60 }
    )
  })

  it("cost one row for a bucket without gaps, however many events it had", () => {
    using open = storeWithTopic()
    for (let seq = 0; seq < 300; seq += 3) open.append([0, 1, 2].map((more) => Wire.event(seq % 2, seq + more)))
    const count = () => Number(open.store.db.prepare("SELECT count(*) AS n FROM id_range").get()?.["n"])
    const before = count()
    expect(before).toBe(100)
    for (let seq = 0; seq < 300; seq += 3) open.append([0, 1, 2].map((more) => Wire.event((seq + 1) % 2, seq + more)))
    expect(count()).toBe(2)
  })

  it("of a dead letter's replay are not looked at: it is stored each time that somebody asks for it", () => {
    using open = storeWithTopic()
    const event = Wire.event(0, 0)
    const replayed = { ...event, headers: [replayHeader(1), ...(event.headers ?? [])] }
    expect([event, event, replayed, replayed].map((one) => open.append([one]).duplicates)).toEqual([[], [0], [], []])
  })

  it("that no longer verify hold nothing: an event is stored twice rather than lost", () => {
    using open = storeWithTopic()
    open.append([Wire.event(0, 0), Wire.event(0, 1)])
    open.write(({ db }) => db.prepare("UPDATE id_range SET last = 50").run())
    open.reopen()
    expect(open.append([Wire.event(0, 20)]).duplicates).toEqual([])
  })
})

describe("a time", () => {
  it("is found where a look through everything finds it", () => {
    const times = fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(times, fc.nat(6), fc.nat(32), (batches, gone, timeMs) => {
        using open = storeWithTopic()
        for (const batch of batches) open.append(batch.map((one) => ({ key: "k", value: "v", timeMs: one })))
        open.write((store) => {
          const head = store.heads.get(0)
          const topic = store.topics.get("t")
          store.heads.save(retain(store, topic, head, { ...noLimits, retentionBytes: 0 }, gone))
        })
        const { start, end } = open.store.heads.get(0)
        const expected = batches.flat().findIndex((one, position) => position >= start && one >= timeMs)
        expect(open.store.look(() => positionAt(open.store, 0, timeMs))).toBe(expected < 0 ? end : expected)
      }),
      { numRuns: 80 }
    )
  })
})

describe("a reader", () => {
  it("gets batches that it can hold: small ones together, large ones in parts", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(1, 2, 300, 1200), { minLength: 1, maxLength: 12 }), (sizes) => {
        using open = storeWithTopic()
        for (const size of sizes) open.append(Array.from({ length: size }, () => ({ key: "k", value: "v" })))
        const count = sizes.reduce((total, size) => total + size, 0)
        const batches = open.read()
        expect(Math.max(...batches.map(({ records }) => records.length))).toBeLessThanOrEqual(500)
        expect(positionsOf(open)).toEqual(Array.from({ length: count }, (_, position) => position))
        let next = 0n
        for (const batch of batches) {
          expect(batch.records[0]?.position).toBe(next)
          next = batch.next
        }
        expect(next).toBe(BigInt(count))
        const isSmall = sizes.every((size) => size <= 2)
        expect(batches.length).toBeLessThanOrEqual(isSmall ? 1 : count)
      }),
      { numRuns: 40 }
    )
  })
})

describe("retention", () => {
  it("by bytes leaves the last append, so that who reads each before the next one misses nothing", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 15 })
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 0, max: 8000 }),
        fc.integer({ min: 0, max: 300 }),
        (batches, bytes, size) => {
          using open = storeWithTopic()
          const limits = { ...noLimits, retentionBytes: bytes }
          const seen: Array<number> = []
          for (const count of batches) {
            open.append(
              Array.from({ length: count }, () => ({ key: "k", value: new Uint8Array(size) })),
              limits
            )
            open.write((store) => {
              store.heads.save(retain(store, store.topics.get("t"), store.heads.get(0), limits, 256))
            })
            for (const { records } of open.read(seen.length))
              for (const { position } of records) seen.push(Number(position))
          }
          const all = batches.reduce((total, count) => total + count, 0)
          expect(seen).toEqual(Array.from({ length: all }, (_, position) => position))
          // And no more than that where it is larger than what is kept.
          const { start, bytes: kept } = open.store.heads.get(0)
          expect(kept <= bytes || start === all - (batches.at(-1) ?? 0)).toBe(true)
        }
      ),
      { numRuns: 60 }
    )
  })

  it("by bytes takes whole batches from the start, and readers pass over what is gone", () => {
    using open = storeWithTopic()
    const limits = { ...noLimits, retentionBytes: 5000 }
    for (let batch = 0; batch < 40; batch++)
      open.append(
        Array.from({ length: 5 }, () => ({ key: "k", value: new Uint8Array(100) })),
        limits
      )
    const { start, end, bytes } = open.store.heads.get(0)
    expect([start % 5, end]).toEqual([0, 200])
    expect(bytes).toBeLessThanOrEqual(5000)
    expect(start).toBeGreaterThan(150)
    const [first] = open.read()
    expect(first).toEqual({ records: [], next: BigInt(start), gap: "expired" })
    expect(positionsOf(open)).toEqual(Array.from({ length: 200 - start }, (_, index) => start + index))
    open.append([{ key: "k", value: new Uint8Array(20_000) }], limits)
    // Larger than all that is kept, and the newest.
    expect(open.store.heads.get(0)).toMatchObject({ start: 200, end: 201 })
    expect(open.append([{ key: "k", value: "v" }], limits).base).toBe(201)
  })

  it("by time takes what was stored before", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    open.append([{ key: "k", value: "old" }])
    const topic = open.store.topics.get("t")
    const limits = { ...noLimits, retentionMs: 1000 }
    const keep = () => open.write((store) => retain(store, topic, store.heads.get(0), limits, 9))
    machine.pass(1000)
    expect(keep().start).toBe(0)
    machine.pass(1)
    expect(keep().start).toBe(1)
  })
})

describe("a topic that keeps everything", () => {
  const forEver = { timeMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

  it("is deleted from neither by age nor by size, also by a process that reads it anew", () => {
    const machine = new Machine()
    using open = storeWithTopic(false, machine.clock)
    open.write(({ topics }) => topics.create({ topic: "kept", partitions: 1, retention: forEver }))
    open.reopen()
    open.write(() => undefined)
    const topic = open.store.topics.get("kept")
    expect(topic).toMatchObject({ retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY })
    // What a version that knows no such word takes for no bound either.
    const row = open.store.db.prepare("SELECT retention_ms, retention_bytes FROM topic WHERE name = 'kept'").get()
    expect({ ...row }).toEqual({ retention_ms: 2 ** 53 - 1, retention_bytes: 2 ** 53 - 1 })
    const limits = { ...noLimits, retentionMs: 1000, retentionBytes: 1 }
    // The newest would stay in any topic.
    for (const value of ["older", "old"]) open.append([{ key: "k", value }], limits, "kept")
    const partition = topic.firstPartition
    machine.pass(10_000)
    const head = open.write((store) => retain(store, topic, store.heads.get(partition), limits, 9))
    expect(head).toMatchObject({ start: 0, end: 2 })
  })

  it("is one that was made without a word in a log that keeps everything, and no other", () => {
    using open = storeWithTopic()
    const found = open.store.topics.get("t")
    const { partitions } = found
    const spec = { topic: "t", partitions, retention: forEver }
    expect(compareTopic(found, spec, noLimits)).toEqual({ status: "exists", partitions })
    expect(compareTopic(found, spec, { ...noLimits, retentionBytes: 4096 })).toEqual({
      status: "differs",
      partitions,
      differences: [{ property: "retention.bytes", asked: "Infinity", found: "default" }]
    })
    expect(compareTopic(found, { topic: "t", partitions }, noLimits)).toEqual({ status: "exists", partitions })
  })
})

describe("compaction", () => {
  it("is due when half of what stands there is new, however much was ever written, and whoever has compacted it", () => {
    using open = storeWithTopic(true)
    const write = (records: number) => {
      for (let index = 0; index < records; index++) open.append([{ key: `k${index % 20}`, value: "v".repeat(100) }])
    }
    let dirt = new Dirt(open.store)
    const isDue = () => open.store.look(() => dirt.isDue(0, false))
    write(20)
    for (let round = 0; round < 12; round++) {
      expect([round, isDue()]).toEqual([round, true])
      compact(open)
      expect([round, isDue()]).toEqual([round, false])
      write(8)
      expect([round, isDue()]).toEqual([round, false])
      if (round % 3 === 0) dirt = new Dirt(open.store)
      write(32)
    }
    const { bytes, end } = open.store.heads.get(0)
    compact(open)
    expect(open.store.heads.get(0).bytes).toBeLessThan(bytes / 2)
    expect(end).toBe(20 + 12 * 40)
  })

  it("is due for an eighth where the log is nearly full, for less once a minute, and takes a part of the time", () => {
    using open = storeWithTopic(true)
    const write = (records: number) => {
      for (let index = 0; index < records; index++) open.append([{ key: `k${index}`, value: "v".repeat(100) }])
    }
    let nowMs = 0
    const dirt = new Dirt(open.store, () => nowMs)
    const isDue = (isNearlyFull = true) => open.store.look(() => dirt.isDue(0, isNearlyFull))
    const after = (ms: number) => {
      nowMs += ms
      return isDue()
    }
    write(64)
    compact(open)
    dirt.passed(0, 1000)
    expect(after(3_600_000)).toBe(false)
    dirt.passed(0, 1000)
    write(4)
    expect([after(0), after(59_000), after(1000)]).toEqual([false, false, true])
    dirt.passed(0, 1000)
    write(12)
    expect([after(0), after(19_000), after(1000), isDue(false)]).toEqual([false, false, true, false])
    dirt.passed(0, 10_000)
    expect([after(190_000), after(10_000)]).toEqual([false, true])
  })

  it("is due again when what it had left was trimmed", () => {
    using open = storeWithTopic(true)
    const write = (records: number) => {
      for (let index = 0; index < records; index++) open.append([{ key: "k", value: "v".repeat(100) }])
    }
    for (let index = 0; index < 40; index++) open.append([{ key: `k${index}`, value: "v".repeat(100) }])
    compact(open)
    const dirt = new Dirt(open.store)
    expect(open.store.look(() => dirt.isDue(0, false))).toBe(false)
    open.write((store) => trim(store, 0, 40, 256))
    write(10)
    expect(open.store.look(() => dirt.isDue(0, false))).toBe(true)
  })

  const record = fc.record({
    key: fc.option(fc.constantFrom("a", "b", "c"), { freq: 4 }),
    value: fc.option(fc.constantFrom("1", "2"), { freq: 4 }),
    timeMs: fc.nat(20)
  })
  const batches = fc.array(fc.array(record, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 20 })

  it("keeps the last record of each key, those without one, and every position, while others append", () => {
    fc.assert(
      fc.property(batches, batches, (before, meanwhile) => {
        using open = storeWithTopic(true)
        for (const batch of before) open.append(batch)
        const rest = [...meanwhile]
        compact(open, () => {
          const next = rest.shift()
          if (next !== undefined) open.append(next)
        })
        for (const batch of rest) open.append(batch)
        compact(open)
        open.reopen()
        const all = [...before, ...meanwhile].flat()
        const expected = all.flatMap(({ key }, position) =>
          key === null || all.findLastIndex((one) => one.key === key) === position ? [position] : []
        )
        expect(positionsOf(open)).toEqual(expected)
        const read = open.read()
        expect(read.at(-1)?.next).toBe(BigInt(all.length))
        for (const { gap } of read) expect(gap === undefined || gap === "compacted").toBe(true)
        for (let from = 0; from < all.length; from++)
          expect(positionsOf(open, from)).toEqual(expected.filter((position) => position >= from))
        const { bytes, cleaned } = open.store.heads.get(0)
        const stored = open.store.db.prepare("SELECT sum(length) AS n, count(*) AS rows FROM batch").get()
        expect([bytes, cleaned]).toEqual([stored?.["n"], all.length])
        const rows = open.store.db.prepare("SELECT count(*) AS n FROM bytes").get()
        expect(rows?.["n"]).toBe(stored?.["rows"])
      }),
      { numRuns: 50 }
    )
  })
})
