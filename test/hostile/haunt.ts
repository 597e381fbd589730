/** One run: topics in which hostile records stand among healthy ones, and what a subscription with the default policy makes of them. */
import { Effect, References, Stream } from "effect"
import { DeadLetters, Leat, type ReadRow } from "leat"
import { seededRandom, waitUntil } from "leat/testing"
import {
  batchOf,
  deadLetterHeaders,
  type Driver,
  type Header,
  type PlainRecord,
  readDeadLetter,
  type ReceivedRecord,
  replayHeader,
  sendEffect,
  type Transport
} from "leat/transport"
import protobuf from "protobufjs/minimal.js"
import { BeaconSighting } from "../../packages/demo/src/gen/risk/v1/beacon.ts"
import { drawHeaders } from "./headers.ts"
import { type Draw, mutateBytes, oneOf, upTo } from "./mutate.ts"
import { isPolluted } from "./prototypes.ts"

const group = "g"
const topic = "sightings"
const own = [`${topic}.${group}.replay`, `${topic}.${group}.retry.1`]
const deadLetters = `${topic}.${group}.dlq`
/** Of a healthy event, with its number: no drawn header has this name. */
const mark = "healthy"
const partitions = 2
const keys = 8
/** Healthy records, and hostile ones behind them: where most of what is handled lately fails, leat takes it for an outage, and waits. */
const burst = 30
const hostileBurst = 10
const delayMs = 1000
/** Handled records between two looks at the heap. */
const lookEvery = 250

/** Without the order that retry topics give up. */
const contract = { ...BeaconSighting, needs: [] }

interface Place {
  readonly section: object
  readonly drivers: ReadonlyArray<Driver>
}

interface Asked {
  readonly records: number
  readonly seed: number
  /** Otherwise a healthy record stands in the place of each hostile one. */
  readonly isHostile: boolean
}

export interface Haunted {
  /** Everything that is wrong; empty when nothing is. */
  readonly wrong: ReadonlyArray<string>
  /** The most that the heap has grown by while the records were read. */
  readonly heapBytes: number
  readonly counts: Readonly<Record<string, number>>
}

interface Seen {
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  readonly key: string
}

export function haunt(place: Place, asked: Asked): Promise<Haunted> {
  return Effect.runPromise(
    haunted(place, asked).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  )
}

const haunted = Effect.fnUntraced(function* ({ section, drivers }: Place, asked: Asked) {
  const draw = seededRandom(asked.seed)
  const routes = {
    version: 1,
    clusters: { local: { ...section, partitions } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic, linger: "1 millis" }] }],
    subscriptions: [{ match: { stream: "*" }, from: "earliest", concurrency: 4, settleEvery: "5 millis" }]
  }
  const leat = yield* Leat.make({ source: "test", drivers, routes })
  const sightings = yield* leat.stream(contract)
  const transport = yield* leat.transport("local")
  // What is not there when a subscription begins is looked for again in half a minute.
  for (const name of [topic, deadLetters, ...own]) yield* transport.ensure({ topic: name, partitions })
  let count = 0
  const publish = Effect.suspend(() => publishWith(0))
  const publishWith = (bytes: number) => {
    const number = count++
    const context = { headers: [[mark, Buffer.from(`${number}`)]] as const, level: "stored" as const }
    return sightings.publish(eventOf(number, bytes), context)
  }
  const seen: Array<Seen> = []
  const heap = new Heap()
  const subscription = yield* sightings.handle(
    group,
    (_, { topic: from, partition, position, key }) =>
      Effect.sync(() => {
        if (seen.length % lookEvery === 0) heap.look()
        seen.push({ topic: from, partition, position, key })
      }),
    { retryTopics: { delaysMs: [delayMs] } }
  )
  const settled = (name: string) =>
    Effect.map(
      Effect.orElseSucceed(transport.bounds(name, group), () => []),
      (rows) => rows.every(({ start, end, settled: at = start }) => at >= end)
    )
  const isOver = Effect.map(Effect.forEach([topic, ...own], settled), (all) => all.every((one) => one))
  const inTime = Effect.isSuccess(waitUntil("everything is settled", isOver, { withinMs: 60_000 }))
  // Read as they come: behind a backlog all that is left would be hostile records, and that is taken for an outage.
  for (let written = 0; written < asked.records; written += burst + hostileBurst) {
    const more = asked.isHostile ? 0 : hostileBurst
    yield* Effect.replicateEffect(publish, burst + more, { discard: true, concurrency: "unbounded" })
    if (asked.isHostile)
      yield* write(
        transport,
        topic,
        Array.from({ length: hostileBurst }, () => hostile(draw))
      )
    if (!(yield* inTime)) break
  }
  heap.end()
  const stored = yield* readAll(transport, topic)
  yield* writeAside(transport, draw, asked, stored)
  const isInTime = yield* inTime
  let left = hostileBurst
  const { replayed } = yield* DeadLetters.replay(transport, { topic, group }, { where: () => left-- > 0 })
  const isInTimeAgain = yield* inTime
  const letters = yield* Stream.runCollect(DeadLetters.list(transport, { topic, group }, { state: "all" }))
  const aside = yield* readAll(transport, deadLetters)
  const { balanced, lanes } = leat.ledger.snapshot()
  const found = { stored, seen, letters, lanes, aside: aside.filter(isOfGroup).length }
  const wrong = [
    ...(isInTime && isInTimeAgain ? [] : [`not everything was settled: ${yield* leftIn(transport)}`]),
    ...(balanced ? [] : ["the ledger does not balance"]),
    ...subscription.halted().map(({ topic: name, detail }) => `${name} halts: ${detail}`),
    ...faultsIn(found),
    ...(isPolluted() ? ["a prototype was changed"] : [])
  ]
  const counts = { handled: seen.length, letters: found.aside, replayed, skipped: totalOf(lanes, "skipped") }
  return { wrong, heapBytes: heap.grownBytes, counts } satisfies Haunted
})

const leftIn = Effect.fnUntraced(function* (transport: Transport) {
  const rows = yield* Effect.forEach([topic, ...own], (name) =>
    Effect.map(
      Effect.orElseSucceed(transport.bounds(name, group), () => []),
      (all) => all.map(({ partition, end, settled = 0n }) => `${name}/${partition} at ${settled} of ${end}`)
    )
  )
  return rows.flat().join(", ")
})

/** The most that the heap has grown by since the first look. */
class Heap {
  grownBytes = 0
  #atStart: number | undefined
  #hasEnded = false

  /** From here on it holds what is read to judge. */
  end(): void {
    this.look()
    this.#hasEnded = true
  }

  look(): void {
    if (this.#hasEnded) return
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    this.#atStart ??= heapUsed + external
    this.grownBytes = Math.max(this.grownBytes, heapUsed + external - this.#atStart)
  }
}

function eventOf(number: number, more = 0): BeaconSighting {
  const inputRef = `input/${number}${"x".repeat(more)}`
  return { beaconId: `k${number % keys}`, sensorId: "s", rssiDbm: -60, seenAtUs: BigInt(number), inputRef }
}

/** One in fifty is large, whether it is hostile or healthy. */
function moreBytes(draw: Draw): number {
  return draw() < 0.02 ? upTo(draw, 900_000) : 0
}

function encoded(number: number): Uint8Array {
  const writer = protobuf.Writer.create()
  contract.encodeInto(eventOf(number), writer)
  return writer.finish()
}

/** Bytes that were an event, headers that say something, and a key that may be anything. Now and then it is large. */
function hostile(draw: Draw): PlainRecord {
  const [one, other] = [encoded(upTo(draw, 1000)), encoded(upTo(draw, 1000))]
  const more = moreBytes(draw)
  const value =
    more > 0
      ? Buffer.concat([one, Buffer.alloc(more, oneOf(draw, [0, 0x0b, 0x32, 0xff]))])
      : mutateBytes(draw, one, other)
  const key = oneOf(draw, [null, "", `k${upTo(draw, keys)}`, "__proto__", "constructor", "\uFEFF", "k".repeat(5000)])
  return { key, value: draw() < 0.05 ? null : value, headers: draw() < 0.4 ? [] : drawHeaders(draw) }
}

/** Writes to a topic, to all of its partitions. */
const write = Effect.fnUntraced(function* (transport: Transport, name: string, all: ReadonlyArray<PlainRecord>) {
  const writer = yield* transport.openWriter(name)
  for (let partition = 0; partition < partitions; partition++) {
    const part = all.filter((_, index) => index % partitions === partition)
    yield* sendEffect(writer, partition, batchOf(part), 0, part.length, 10_000)
  }
}, Effect.scoped)

/** What the group reads and writes beside the topic of the stream: hostile records stand there first, in between and last. */
const writeAside = Effect.fnUntraced(function* (
  transport: Transport,
  draw: Draw,
  { isHostile }: Asked,
  stored: Array<Stored>
) {
  const [replays = "", retries = ""] = own
  const foreign = () => (isHostile ? Array.from({ length: hostileBurst / 2 }, () => hostile(draw)) : [])
  const healthy = stored.filter(({ number }) => number !== undefined).slice(0, 4 * burst)
  const nowMs = Date.now()
  const replay = healthy.map(({ record: { key, value, headers } }) => ({
    key,
    value,
    headers: [replayHeader(1), ...headers]
  }))
  const moved = healthy.map(({ partition, record: { key, value, headers, position } }) => {
    const place = { topic, partition, position, group, stage: "handle" as const, tag: "Planted", attempts: 1 }
    const letter = { by: "leat" as const, ...place, atMs: nowMs, dueMs: nowMs + delayMs, moves: 1, replays: 0 }
    return { key, value, headers: [...deadLetterHeaders(letter), ...headers] }
  })
  yield* write(transport, replays, [...foreign(), ...replay, ...foreign()])
  yield* write(transport, retries, [...foreign(), ...moved, ...foreign()])
  for (const name of own) stored.push(...(yield* readAll(transport, name)))
  if (isHostile) yield* write(transport, deadLetters, foreign())
})

interface Stored {
  readonly topic: string
  readonly partition: number
  readonly record: ReceivedRecord
  /** Of a healthy event. */
  readonly number: number | undefined
}

const readAll = Effect.fnUntraced(function* (transport: Transport, name: string) {
  const all: Array<Stored> = []
  for (const { partition, start, end } of yield* Effect.orElseSucceed(transport.bounds(name), () => []))
    yield* Stream.runForEach(transport.read(name, partition, { fromPosition: start, toPosition: end }), ({ records }) =>
      Effect.sync(() => {
        for (const record of records) all.push({ topic: name, partition, record, number: numberOf(record.headers) })
      })
    )
  return all
})

function numberOf(headers: ReadonlyArray<Header>): number | undefined {
  const found = headers.find(([name]) => name === mark)
  return found === undefined ? undefined : Number(Buffer.from(found[1]).toString())
}

/** Whether the group has set it aside. */
function isOfGroup({ record }: Stored): boolean {
  const { letter } = readDeadLetter(record.headers) ?? {}
  return letter?.by === "leat" && letter.group === group && letter.tag === "Malformed"
}

interface Found {
  readonly stored: ReadonlyArray<Stored>
  readonly seen: ReadonlyArray<Seen>
  readonly letters: ReadonlyArray<DeadLetters.ListedLetter>
  readonly lanes: ReadonlyArray<ReadRow>
  /** Records that the group has set aside. */
  readonly aside: number
}

function placeOf({ topic: name, partition, position }: Omit<Seen, "key">): string {
  return `${name}/${partition}/${position}`
}

function* faultsIn({ stored, seen, letters, lanes, aside }: Found): Iterable<string> {
  const times = new Map<string, number>()
  for (const one of seen) times.set(placeOf(one), (times.get(placeOf(one)) ?? 0) + 1)
  const set = new Set(
    letters.map(({ letter: { topic: name = "", partition = -1, position = -1n } }) =>
      placeOf({ topic: name, partition, position })
    )
  )
  let nowhere = 0
  for (const { topic: name, partition, record, number } of stored) {
    const place = placeOf({ topic: name, partition, position: record.position })
    const handled = times.get(place) ?? 0
    if (number !== undefined && handled !== 1) yield `healthy event ${number} at ${place} was handled ${handled} times`
    if (handled > 1) yield `${place} was handled ${handled} times`
    if (handled === 1 && set.has(place)) yield `${place} was handled and set aside`
    if (name === topic && handled === 0 && !set.has(place)) nowhere++
  }
  const skipped = totalOf(
    lanes.filter(({ lane }) => lane.startsWith(`${topic}/`)),
    "skipped"
  )
  if (nowhere !== skipped)
    yield `${nowhere} records were neither handled nor set aside, and ${skipped} are counted as skipped`
  const done = lanes.reduce((sum, row) => sum + row.done, 0)
  if (done !== seen.length) yield `${done} are counted as done, and ${seen.length} were handled`
  const deadLettered = totalOf(lanes, "deadLettered")
  if (deadLettered !== aside) yield `${deadLettered} are counted as dead letters, and ${aside} are there`
  const last = new Map<string, bigint>()
  for (const { topic: name, partition, position, key } of seen) {
    const lane = `${name}/${partition} ${key}`
    if (position < (last.get(lane) ?? -1n)) yield `${lane}: ${position} was handled after ${last.get(lane)}`
    last.set(lane, position)
  }
}

function totalOf(lanes: ReadonlyArray<ReadRow>, of: "skipped" | "deadLettered"): number {
  return lanes.reduce((sum, row) => sum + Object.values(row[of]).reduce((all, one) => all + one, 0), 0)
}
