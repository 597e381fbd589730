/** A process that leaves its leat open, run by `processEnd.test.ts` with the name of what it does last: `node leftOpen.ts handle`. */
import { Effect } from "effect"
import { ControlTools, memory, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { type LeatOptions, open, type PromiseInbox } from "leat/promise"
import { faultDriver } from "leat/testing"
import { type Announcement, type Driver, TransportError } from "leat/transport"
import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { noteContract } from "../contracts/Note.ts"

const name = process.argv[2] ?? ""

/** Sends to this topic fail. */
const failing = faultDriver(memory, {
  send: ({ topic }) => (topic === "failing" ? { kind: "fail", reason: "Rejected" } : undefined)
})

/** Has brokers in memory whose topics can grow, whatever stands in the section. */
const growable: Driver = {
  name: "growable",
  inspect: () => {
    const inspected = memory.inspect({})
    return "issues" in inspected
      ? inspected
      : { ...inspected, capabilities: { ...inspected.capabilities, partitions: "growable" } }
  },
  open: (cluster) =>
    Effect.map(memory.open(cluster, {}), (transport) => {
      const capabilities = { ...transport.capabilities, partitions: "growable" as const }
      return new Proxy(transport, {
        get: (from, key) => (key === "capabilities" ? capabilities : Reflect.get(from, key))
      })
    })
}

/** Is away for two seconds, and well from then on. */
const beginMs = performance.now()
const isAway = () => performance.now() - beginMs < 2000
const late: Driver = {
  ...faultDriver(memory, {
    send: () => (isAway() ? { kind: "fail", reason: "Unavailable" } : undefined),
    fence: () => (isAway() ? "Unavailable" : undefined)
  }),
  name: "late"
}
const refusing: Driver = {
  ...faultDriver(memory, { send: () => ({ kind: "fail", reason: "Rejected" }) }),
  name: "refusing"
}

/** Keeps what it stores, and does not answer how a topic is. */
const silent: Driver = {
  ...growable,
  name: "silent",
  open: (cluster) =>
    Effect.map(memory.open(cluster, {}), (transport) => ({
      ...transport,
      capabilities: { ...transport.capabilities, ephemeral: false, compaction: true },
      ensure: () => Effect.never
    }))
}

const away: Driver = {
  ...growable,
  name: "away",
  open: () =>
    Effect.fail(
      new TransportError({ reason: "Unsupported", transport: "away", operation: "open", detail: "it is away" })
    )
}

/** Its stream goes to a topic that `leg` says more of. */
function documentOf(leg: object = {}, route: object = {}, near: object = { transport: "memory" }) {
  return {
    version: 1,
    clusters: { near, far: { transport: "memory" } },
    policies: {
      falling: [{ on: ["Rejected"], then: "fallback" }],
      drop: [{ on: ["*"], then: "drop" }],
      halt: [{ on: ["*"], then: "halt" }]
    },
    routes: [{ match: { stream: "*" }, ...route, to: [{ cluster: "near", topic: "notes", ...leg }] }]
  }
}

/** Of a fleet of one process, whose stream is moved. */
const controlBroker = new MemoryBroker()
const controlDriver: Driver = { ...memoryDriver(controlBroker), name: "control" }
const placeDriver: Driver = { ...memoryDriver(new MemoryBroker({ partitions: 2 })), name: "place" }
const tool = { author: "test", reason: "moves", drivers: [placeDriver] }
const control = memoryTransport(controlBroker)
const placedAt = (version: number, topic: string) =>
  JSON.stringify({
    version,
    clusters: { near: { transport: "place" } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "near", topic }] }]
  })

if (name === "moved" || name === "moving")
  await Effect.runPromise(ControlTools.apply(control, { ...tool, document: placedAt(1, "a") }))

const file = join(tmpdir(), `leat-left-${process.pid}.json`)
const fallback = (back: string) => ({ policy: "falling", fallback: { cluster: "far", back } })
const announced: Array<Announcement> = []
const ledger = { store: { save: (one: Announcement) => Effect.sync(() => void announced.push(one)) } }

/** What the leat of a process has, beside a stream. */
const having: Readonly<Record<string, Partial<LeatOptions>>> = {
  ledger: { ledger },
  objective: {
    routes: documentOf({ topic: "failing", policy: "drop" }, { objective: { loss: 0.01, window: "1 day" } }),
    drivers: [failing]
  },
  // Its ledger is announced at the end, so that there is more than one end.
  halted: { ledger, routes: documentOf({ topic: "failing", policy: "halt" }), drivers: [failing] },
  file: { routes: { file } },
  reference: { routes: documentOf({}, {}, { transport: "growable", name: "${env:PATH}" }), drivers: [growable] },
  growable: { routes: documentOf({}, {}, { transport: "growable" }), drivers: [growable] },
  redrive: { routes: documentOf(fallback("redrive")) },
  stay: { routes: documentOf({ topic: "failing", ...fallback("stay") }), drivers: [failing] },
  stayBack: { routes: documentOf({ topic: "failing", ...fallback("stay") }), drivers: [failing] },
  stayRefused: {
    drivers: [late, refusing],
    routes: {
      version: 1,
      clusters: { near: { transport: "late" }, far: { transport: "refusing" } },
      policies: { falling: [{ on: ["passing"], then: "fallback" }] },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "near", topic: "notes", ...fallback("stay") }] }]
    }
  },
  compacted: { routes: documentOf({}, {}, { transport: "silent" }), drivers: [silent] },
  control: { control: { cluster: { transport: "memory" } }, routes: documentOf() },
  moved: { drivers: [placeDriver, controlDriver], control: { cluster: { transport: "control" } } },
  moving: { drivers: [placeDriver, controlDriver], control: { cluster: { transport: "control" } } },
  controlAway: { control: { cluster: { transport: "away" } }, routes: documentOf(), drivers: [away] }
}

if (name === "file") {
  await writeFile(file, JSON.stringify(documentOf()))
  process.once("exit", () => void rm(file, { force: true }))
}
const leat = await open({ source: "test", ...having[name] })
const notes = await leat.stream(noteContract())
const inbox: PromiseInbox<undefined> = {
  transaction: (work) => work(undefined),
  record: (_, { ids }) => ids.map(() => true),
  forget: () => undefined
}
const publish = () => notes.publish({ key: "k", text: "1" })

const { stream } = noteContract()
const startMove = () =>
  Effect.runPromise(
    MoveTools.start(control, { ...tool, document: placedAt(2, "b"), streams: [stream], foreignWritersStopped: true })
  )
/** Waits until its last two epochs are so. */
async function isIn(phases: string): Promise<void> {
  for (;;) {
    const [status] = await Effect.runPromise(MoveTools.status(control))
    const [older, newest] = status?.epochs.slice(-2) ?? []
    if (phases.split("|").includes(`${older?.phase},${newest?.phase}`)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const last: Readonly<Record<string, () => Promise<unknown>>> = {
  handle: async () => {
    const handling = await notes.handle("g", () => undefined)
    await publish()
    await handling.caughtUp()
  },
  handleBatch: () => notes.handleBatch("g", () => undefined),
  inbox: () => notes.handle("g", () => undefined, { inbox }),
  loop: () => {
    void notes.subscribe("g").next()
    return Promise.resolve()
  },
  halted: () => {
    for (let index = 0; index < 3; index++) notes.offer({ key: "k", text: String(index) })
    return Promise.resolve()
  },
  ledger: () => {
    for (let index = 0; index < 50; index++) notes.offer({ key: "k", text: String(index) })
    process.once("exit", () => {
      const [leg] = announced.at(-1)?.legs ?? []
      console.log(`announced ${leg?.stored} stored of ${leg?.admitted}`)
    })
    return Promise.resolve()
  },
  // A group has stopped and is behind in the old place, which stays as long.
  moved: async () => {
    const handling = await notes.handle("g", () => undefined)
    await handling.caughtUp()
    await handling.stop()
    await publish()
    await startMove()
    await isIn("sealed,open")
    await publish()
  },
  // The stream is held before its move begins.
  moving: async () => {
    await startMove()
    await isIn("sealed,open|retired,open")
    await Effect.runPromise(MoveTools.pause(control, { ...tool, streams: [stream] }))
    await Effect.runPromise(MoveTools.start(control, { ...tool, document: placedAt(3, "c"), streams: [stream] }))
    await isIn("open,planned")
    // By then it has read so, too.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    await publish()
  },
  stayRefused: () => {
    for (let index = 0; index < 20; index++) notes.offer({ key: "k", text: String(index) })
    process.once("exit", () => console.log(`stored ${leat.ledger.snapshot().legs[0]?.stored}`))
    return Promise.resolve()
  },
  stayBack: async () => {
    await publish()
    // Its destination has answered a fence by then, and has stored nothing since.
    await new Promise((resolve) => setTimeout(resolve, 6000))
  }
}
await (last[name] ?? publish)().catch((error: unknown) => console.error(error))
console.log("at its end")
