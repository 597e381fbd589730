/** Histories drawn together with what is to be found in them, written by hand in the wire of CloudEvents: nothing here comes from leat's writer. */
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { Audit } from "leat"
import { taggedStream } from "leat/record"
import type { PartitionBounds, ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"

type Fate = "stored" | "copied" | "dropped" | "droppedAndStored" | "lost" | "late"

const fates = fc.constantFrom<Fate>(
  "stored",
  "stored",
  "stored",
  "copied",
  "dropped",
  "droppedAndStored",
  "lost",
  "late"
)
/** One publisher's bucket: what becomes of its sequences, from 0. */
const bucket = fc.array(fates, { minLength: 1, maxLength: 40 })
const histories = fc.record({
  publishers: fc.array(fc.array(bucket, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
  shuffle: fc.array(fc.nat(1000), { minLength: 200, maxLength: 200 })
})

const incarnationOf = (publisher: number) => `0198c1d2-6a00-7000-8000-00000000000${publisher}`
const bytes = (text: string) => new TextEncoder().encode(text)
const stream = "test.notes"

interface Written {
  readonly bucket: string
  readonly seq: number
  readonly dropped: ReadonlyArray<string>
  readonly copies: number
}

interface Expected {
  events: number
  copies: number
  outOfOrder: number
  droppedAndStored: number
  dropped: number
  readonly missing: Array<string>
}

/** The records of one bucket, in the order in which they are stored, and what is to be found of them. */
function write(publisher: number, number: number, all: ReadonlyArray<Fate>, expected: Expected): Array<Written> {
  const name = `${incarnationOf(publisher)}/${stream}/${number}`
  const records: Array<Written> = []
  let notices: Array<string> = []
  let late: Array<number> = []
  let gap: Array<number> = []
  const put = (seq: number, copies: number) => {
    records.push({ bucket: name, seq, dropped: notices, copies })
    notices = []
    // Only what something comes behind is known to be missing.
    for (const lost of gap) expected.missing.push(`${name}/${lost}`)
    gap = []
    expected.events++
    expected.copies += copies
    for (const before of late) {
      records.push({ bucket: name, seq: before, dropped: [], copies: 0 })
      expected.outOfOrder++
      expected.events++
    }
    late = []
  }
  for (const [seq, fate] of all.entries()) {
    if (fate === "stored" || fate === "copied") put(seq, fate === "copied" ? 1 + (seq % 2) : 0)
    else if (fate === "late") late.push(seq)
    else if (fate === "lost") gap.push(seq)
    else {
      notices.push(`${number}:${seq}-${seq + 1}:overflow`)
      if (fate === "dropped") continue
      put(seq, seq % 2)
      expected.droppedAndStored++
    }
  }
  // What nothing carries is not announced, and nothing comes behind it.
  for (const { dropped } of records)
    for (const notice of dropped) {
      const seq = Number(/:(\d+)-/.exec(notice)?.[1])
      if (all[seq] === "dropped") expected.dropped++
    }
  return records
}

const recordsOf = (written: ReadonlyArray<Written>) =>
  written.flatMap((one) => {
    const [, , number] = one.bucket.split("/")
    const id: readonly [string, Uint8Array] = ["ce_id", bytes(`${one.bucket}/${one.seq}`)]
    const notice = one.dropped.length === 0 ? [] : [["leat-dropped", bytes(one.dropped.join(";"))] as const]
    return Array.from({ length: one.copies + 1 }, () => ({ headers: [id, ...notice], key: bytes(`k${number}`) }))
  })

/** A topic of one partition that holds the records, from a first position on. */
function holding(records: ReadonlyArray<Pick<ReceivedRecord, "headers" | "key">>, first = 0n): Audit.AuditedTransport {
  const all = records.map((one, index): ReceivedRecord => ({
    ...one,
    position: first + BigInt(index),
    value: null,
    timeMs: 1000 + index
  }))
  const bounds: ReadonlyArray<PartitionBounds> = [{ partition: 0, start: first, end: first + BigInt(all.length) }]
  return {
    bounds: () => Effect.succeed(bounds),
    read: () => Stream.make({ records: all, next: first + BigInt(all.length) })
  }
}

/** Puts the buckets' records into one order that keeps each bucket's own. */
function interleaved(buckets: ReadonlyArray<ReadonlyArray<Written>>, shuffle: ReadonlyArray<number>): Array<Written> {
  const left = buckets.map((all) => [...all])
  const result: Array<Written> = []
  for (let turn = 0; left.some((all) => all.length > 0); turn++) {
    const open = left.filter((all) => all.length > 0)
    const next = open[(shuffle[turn % shuffle.length] ?? 0) % open.length]?.shift()
    if (next !== undefined) result.push(next)
  }
  return result
}

describe("an audit", () => {
  it("finds what was drawn to be missing, doubled, out of order and dropped, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ publishers, shuffle }) => {
        const expected: Expected = { events: 0, copies: 0, outOfOrder: 0, droppedAndStored: 0, dropped: 0, missing: [] }
        const buckets = publishers.flatMap((all, publisher) =>
          all.map((ends, number) => write(publisher, number, ends, expected))
        )
        const transport = holding(recordsOf(interleaved(buckets, shuffle)))
        const report = await Effect.runPromise(Audit.topic(transport, stream))
        const missing = report.missingRanges.flatMap(({ incarnation, bucket: number, from, to }) =>
          Array.from({ length: to - from }, (_, index) => `${incarnation}/${stream}/${number}/${from + index}`)
        )
        expect(missing.toSorted()).toEqual(expected.missing.toSorted())
        expect(report).toMatchObject({
          events: expected.events,
          copies: expected.copies,
          outOfOrder: expected.outOfOrder,
          droppedAndStored: expected.droppedAndStored,
          missing: expected.missing.length,
          unauditable: 0
        })
        expect(report.dropped["overflow"] ?? 0).toBe(expected.dropped)
      }),
      { numRuns: 300 }
    )
  })

  it("judges nothing that stood before the first record that is kept", async () => {
    const written = write(0, 0, ["stored", "lost", "stored", "stored", "lost", "stored"], {
      events: 0,
      copies: 0,
      outOfOrder: 0,
      droppedAndStored: 0,
      dropped: 0,
      missing: []
    }).slice(2)
    const report = await Effect.runPromise(Audit.topic(holding(recordsOf(written), 2n), stream))
    // Of 0 to 2 nobody can tell; 4 is missing between two that are there.
    expect(report).toMatchObject({ events: 2, unauditable: 3, missing: 1 })
    expect(report.missingRanges).toMatchObject([{ bucket: 0, from: 4, to: 5 }])
  })

  it("believes the record that announces nothing but drops, of the stream that it names", async () => {
    const marker = (tag: string) => ({
      key: null,
      headers: [
        ["leat", Buffer.from(`02${incarnationOf(0).replaceAll("-", "")}${tag}`, "hex")],
        ["leat-dropped", bytes("0:2-4:closed")]
      ] as const
    })
    const stored = recordsOf(
      [0, 1].map((seq) => ({ bucket: `${incarnationOf(0)}/${stream}/0`, seq, dropped: [], copies: 0 }))
    )
    const own = marker(taggedStream(stream).slice(1))
    expect(await Effect.runPromise(Audit.topic(holding([...stored, own]), stream))).toMatchObject({
      dropped: { closed: 2 },
      missing: 0,
      publishers: 1,
      foreign: 0
    })
    // Of another stream they are drops too, and what was before them is missing.
    const other = await Effect.runPromise(Audit.topic(holding([...stored, marker("0badcafe")]), stream))
    expect(other).toMatchObject({ dropped: { closed: 2 }, missing: 2 })
    expect(other.missingRanges).toMatchObject([{ stream: "#0badcafe", from: 0, to: 2 }])
  })

  it("says that nobody can tell, where the last notice had no room for all drops", async () => {
    const at = (seq: number, dropped: ReadonlyArray<string>) => ({
      bucket: `${incarnationOf(0)}/${stream}/0`,
      seq,
      dropped,
      copies: 0
    })
    const audit = (written: ReadonlyArray<Written>) =>
      Effect.runPromise(Audit.topic(holding(recordsOf(written)), stream))
    const cut = [at(0, []), at(5, ["0:1-2:overflow", "..."])]
    expect(await audit(cut)).toMatchObject({ dropped: { overflow: 1 }, unauditable: 3, missing: 0 })
    expect(await audit([...cut, at(6, ["0:2-4:overflow"])])).toMatchObject({ dropped: { overflow: 3 }, missing: 1 })
  })

  it("counts what is damaged, and not what it does not read", async () => {
    const [record] = recordsOf([{ bucket: `${incarnationOf(0)}/${stream}/0`, seq: 0, dropped: [], copies: 0 }])
    const read: ReadonlyArray<ReceivedRecord> =
      record === undefined ? [] : [{ ...record, position: 1_000_000n, value: null, timeMs: 5 }]
    const transport: Audit.AuditedTransport = {
      bounds: () => Effect.succeed([{ partition: 0, start: 0n, end: 1_000_010n }]),
      read: () =>
        Stream.make({ records: read, next: 1_000_004n, gap: "corrupt" as const }, { records: [], next: 1_000_010n })
    }
    expect(await Effect.runPromise(Audit.topic(transport, stream, { fromTimeMs: 5 }))).toMatchObject({
      events: 1,
      corrupt: 3
    })
  })
})
