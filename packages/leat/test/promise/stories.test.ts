/**
 * Random stories through the promise door, in real time because promises keep to no seeded scheduler: publishers whose signals are aborted at
 * any time, handlers that fail, loops that are broken off and begun again, over a broker that fails now and then. Every promise has to settle,
 * what each was told has to be true of a raw read, and every group gets everything in order.
 */
import { Effect } from "effect"
import { MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { NotAwaited, NotStored, open, type PromiseStream, Rejected } from "leat/promise"
import { faultDriver, History, type SendFault, seededRandom } from "leat/testing"
import { expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"

const sink = "local/notes"
const groups = ["handled", "batched", "looped"] as const
const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: { again: [{ on: ["*"], retry: { base: "1 milli" }, then: "halt" }] },
  routes: [
    {
      match: { stream: "*" },
      to: [
        {
          cluster: "local",
          topic: "notes",
          linger: "1 milli",
          policy: "again",
          buffer: { bytes: 65_536 },
          batch: { bytes: 16_384 }
        }
      ]
    }
  ],
  subscriptions: [{ match: { stream: "*" }, policy: "again", settleEvery: "2 millis", drain: "1 second" }]
}

type Random = () => number

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function sendFault(random: Random): SendFault | undefined {
  const draw = random()
  if (draw < 0.1) return { kind: "fail", reason: "Unavailable" }
  if (draw < 0.15) return { kind: "loseResponse" }
  if (draw < 0.2) return { kind: "delay", ms: 1 + Math.floor(random() * 10) }
  return undefined
}

/** A signal that is aborted at some time, before or after what it is given to has ended; mostly none. */
function someSignal(random: Random): { readonly signal?: AbortSignal } {
  const draw = random()
  if (draw < 0.1) return { signal: AbortSignal.abort(new Error("given up")) }
  if (draw > 0.4) return {}
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error("given up")), random() * 8)
  return { signal: controller.signal }
}

/** What a publisher was told of each text. */
interface Told {
  readonly stored: Set<string>
  /** Not admitted: nothing of it may ever be found. */
  readonly never: Set<string>
  readonly wrong: Array<string>
}

async function publishes(notes: PromiseStream<Note>, name: string, random: Random, told: Told): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    const note = { key: `k${Math.floor(random() * 5)}`, text: `${name}-${turn}`.padEnd(random() ** 3 * 40_000, ".") }
    const options = someSignal(random)
    const draw = random()
    const many = Array.from({ length: draw < 0.8 ? 1 : 8 }, (_, index) => ({ ...note, text: `${note.text}/${index}` }))
    try {
      if (draw < 0.3) {
        if (!notes.offer(note).admitted) told.never.add(note.text)
      } else if (draw < 0.8) {
        await notes.publish(note, { ...options, level: "stored" })
        told.stored.add(note.text)
      } else {
        const { rejected } = await notes.publishAll(many, { ...options, level: "stored" })
        const refused = new Set(rejected.map(({ index }) => index))
        for (const [index, { text }] of many.entries()) (refused.has(index) ? told.never : told.stored).add(text)
      }
    } catch (error) {
      const isNotAdmitted = error instanceof Rejected || (error instanceof Error && error.message === "given up")
      if (isNotAdmitted) for (const { text } of [note, ...many]) told.never.add(text)
      else if (!(error instanceof NotAwaited || error instanceof NotStored)) told.wrong.push(String(error))
    }
    if (random() < 0.3) await pause(random() * 4)
  }
}

/** Iterates, and leaves the loop now and then in one of its ways, until it is over. */
async function loops(
  notes: PromiseStream<Note>,
  random: Random,
  seen: (text: string, info: { readonly id?: unknown }) => void,
  isOver: () => boolean
): Promise<void> {
  while (!isOver()) {
    const left = 1 + Math.floor(random() * 40)
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), 20 + random() * 40)
    let count = 0
    for await (const { event, info } of notes.subscribe("looped", { signal: controller.signal })) {
      seen(event.text, info)
      if (++count >= left) break
    }
    clearTimeout(timer)
  }
}

it.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  "story %d is true to what everybody was told",
  async (seed) => {
    const random = seededRandom(seed)
    const history = new History()
    const broker = new MemoryBroker({ partitions: 2 })
    const driver = faultDriver(memoryDriver(broker), { send: () => sendFault(random) })
    const leat = await open({ source: "test", routes, drivers: [driver], journal: history })
    const notes = await leat.stream(noteContract())
    const seen = { handled: new Set<string>(), batched: new Set<string>(), looped: new Set<string>() }
    const see =
      (group: (typeof groups)[number]) => (text: string, info: { readonly id?: unknown; readonly key?: unknown }) => {
        seen[group].add(text)
        if (info.id !== undefined) history.handled(group, info.id as never, String(info.key))
      }
    await notes.handle("handled", async ({ text }, info) => {
      if (random() < 0.1) throw new Error("not now")
      if (random() < 0.2) await pause(1)
      see("handled")(text, info)
    })
    await notes.handleBatch(
      "batched",
      (deliveries) => {
        if (random() < 0.1) throw new Error("not now")
        for (const { event, info } of deliveries) see("batched")(event.text, info)
      },
      { records: 7 }
    )
    let isOver = false
    const looping = loops(notes, random, see("looped"), () => isOver)
    const told: Told = { stored: new Set(), never: new Set(), wrong: [] }
    await Promise.all(["a", "b", "c"].map((name) => publishes(notes, name, random, told)))
    await leat.flush()
    const transport = memoryTransport(broker)
    const settled = async () => {
      const rows = await Promise.all(groups.map((group) => notes.bounds(group)))
      return rows.flat().every(({ start, end, settled: position }) => (position ?? start) === end)
    }
    for (let turns = 0; !(await settled()); turns++) {
      if (turns > 5000) throw new Error(`groups stand: ${JSON.stringify(leat.ledger.snapshot().lanes, bigints)}`)
      await pause(2)
    }
    isOver = true
    await looping
    expect(leat.ledger.snapshot().balanced).toBe(true)
    await leat.close()
    await Effect.runPromise(history.readBack(transport, "notes", sink, "test.notes"))
    for (const group of groups) history.checkGroup(group, sink, leat.incarnation)
    expect(history.verdict()).toEqual([])
    expect(told.wrong).toEqual([])
    for (const group of groups) {
      expect([...told.stored].filter((text) => !seen[group].has(text))).toEqual([])
      expect([...told.never].filter((text) => seen[group].has(text))).toEqual([])
    }
    expect(told.stored.size).toBeGreaterThan(20)
  }
)

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value
}
