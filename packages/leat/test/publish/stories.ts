import { type Duration, Effect, Exit, References, type Scope } from "effect"
import { type Journal, Leat, type LegRow, MemoryBroker, memoryDriver, type OpenLeat, type StreamRow } from "leat"
import { type FaultPlan, faultDriver, simulate } from "leat/testing"
import type { Driver, LedgerStore, ReceivedRecord } from "leat/transport"
import { readMeta } from "../../src/record/Wire.ts"
import { type Note, noteContract } from "../contracts/Note.ts"

/** Tasks of a story at most, more than twice what the longest takes: one that spins has failed within seconds. */
export const stepsMax = 100_000

/** Runs a story on virtual time, and fails as it does. */
export function story<E>(program: Effect.Effect<void, E, Scope.Scope>, seed = 1): void {
  const quiet = program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  const { exit } = simulate(seed, quiet, { stepsMax })
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
}

export const note = (key: string, text: string): Note => ({ key, text })
export const big = (text: string, bytes = 3000): Note => note("k", text.padEnd(bytes, "."))

export interface Setting {
  readonly leg?: object
  readonly policy?: ReadonlyArray<object>
  readonly level?: string
  readonly faults?: FaultPlan
  readonly broker?: MemoryBroker
  readonly drain?: Duration.Input
  readonly journal?: Journal
  readonly store?: LedgerStore
  /** The cluster says that it outlives the process. */
  readonly isKept?: boolean
}

export const again = [{ on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "1 second" }, then: "halt" }]

export const documentOf = ({ leg = {}, policy = again, level = "stored" }: Setting) => ({
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: { leg: policy },
  routes: [
    {
      match: { stream: "*" },
      level,
      to: [{ cluster: "local", topic: "notes", policy: "leg", linger: "1 milli", ...leg }]
    }
  ]
})

/** A memory driver that says that it keeps what it stores. */
export function kept(broker: MemoryBroker, name = "memory"): Driver {
  const driver = memoryDriver(broker)
  const inspect: Driver["inspect"] = (config) => {
    const seen = driver.inspect(config)
    return "issues" in seen ? seen : { ...seen, capabilities: { ...seen.capabilities, ephemeral: false } }
  }
  return { ...driver, name, inspect }
}

export const openNotes = Effect.fnUntraced(function* (setting: Setting = {}, contract = noteContract()) {
  const broker = setting.broker ?? new MemoryBroker({ partitions: 1 })
  const leat = yield* Leat.make({
    source: "test",
    routes: documentOf(setting),
    drain: setting.drain ?? "1 minute",
    ...(setting.journal === undefined ? {} : { journal: setting.journal }),
    ...(setting.store === undefined ? {} : { ledger: { store: setting.store } }),
    drivers: [faultDriver(setting.isKept === true ? kept(broker) : memoryDriver(broker), setting.faults ?? {})]
  })
  return { broker, leat, notes: yield* leat.stream(contract) }
})

export const streamRow = (leat: Pick<OpenLeat, "ledger">): StreamRow | undefined => leat.ledger.snapshot().streams[0]
export const legRow = (leat: Pick<OpenLeat, "ledger">): LegRow | undefined => leat.ledger.snapshot().legs[0]

export const stored = (broker: MemoryBroker, topic = "notes") =>
  Effect.sync(() => {
    const log = broker.topic(topic).partitions[0]
    const records: Array<ReceivedRecord> = []
    for (let batch = log?.read(log.start, log.end); batch !== undefined; batch = log?.read(batch.next, log.end))
      records.push(...batch.records)
    return records.map(({ headers, value }) => ({
      text: value === null ? null : noteContract().decode(value).text,
      ...readMeta(headers, "test.notes")
    }))
  })

/** A buffer that two or three of the big notes fill, on a broker that takes its time. */
export const narrow = (
  overflow: string,
  faults: FaultPlan = { send: () => ({ kind: "delay", ms: 100 }) }
): Setting => ({
  leg: { buffer: { bytes: 65_536, overflow }, batch: { bytes: 4096 }, linger: "0 millis" },
  faults
})

/** As `narrow`, on a broker that never answers. */
export const dead = (leg: object = {}): Setting => ({
  leg: { buffer: { bytes: 65_536 }, batch: { bytes: 4096 }, linger: "0 millis", timeout: "2 seconds", ...leg },
  faults: { send: () => ({ kind: "delay", ms: 10_000_000 }) },
  drain: "100 millis"
})
