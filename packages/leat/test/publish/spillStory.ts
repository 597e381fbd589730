/** Stories of a stream that spills, on virtual time: two places whose faults are swapped while the story runs, and what was warned of. */
import { type Duration, Effect, Exit, Logger, References, type Scope } from "effect"
import { type Journal, Leat, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver, simulate, waitUntil } from "leat/testing"
import { type Driver, type Transport, TransportError } from "leat/transport"
import { noteContract } from "../contracts/Note.ts"
import { stepsMax } from "./stories.ts"

export interface SpillPlaces {
  readonly far: MemoryBroker
  readonly disk: PowerLossBroker
  faults: FaultPlan
  diskFaults: FaultPlan
}

export const spillPlaces = (partitions = 1): SpillPlaces => ({
  far: new MemoryBroker({ partitions }),
  disk: new PowerLossBroker({ partitions: 1 }),
  faults: {},
  diskFaults: {}
})

export const isAway: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }

export const live = (plan: () => FaultPlan): FaultPlan => ({
  send: (call) => plan().send?.(call),
  fence: (call) => plan().fence?.(call),
  settle: (call) => plan().settle?.(call),
  pull: (call) => plan().pull?.(call)
})

/** A driver whose transports are changed. */
export const changed = (driver: Driver, change: (transport: Transport) => Partial<Transport>): Driver => ({
  ...driver,
  open: (...asked) => Effect.map(driver.open(...asked), (inner): Transport => ({ ...inner, ...change(inner) }))
})

const rejected = new TransportError({ reason: "Rejected", transport: "memory", operation: "send", detail: "no" })
/** A destination that says so of each record of the topic, by their texts; undefined: what the driver says. */
export const answering =
  (said: (notes: ReadonlyArray<string>) => ReadonlyArray<"stored" | "refused" | "behind"> | undefined) =>
  ({ openWriter }: Transport): Partial<Transport> => ({
    openWriter: (topic) =>
      Effect.map(openWriter(topic), (writer) => ({
        ...writer,
        send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) => {
          const sent = Array.from({ length: to - from }, (_, index) => {
            const value = batch.value(from + index)
            return value === null ? "" : noteContract().decode(value).text
          })
          const each = topic === "notes" ? said(sent) : undefined
          if (each === undefined) return writer.send(partition, batch, from, to, timeoutMs, answer)
          for (const [index, one] of each.entries())
            if (one === "stored")
              writer.send(partition, batch, from + index, from + index + 1, timeoutMs, () => undefined)
          answer(
            each.map((one, index) => {
              const at = { from: from + index, to: from + index + 1 }
              if (one === "stored") return { ...at, fate: "stored" }
              return { ...at, fate: "notStored", ...(one === "refused" ? { error: rejected } : {}) }
            })
          )
        }
      }))
  })

export interface SpillSetting {
  readonly policy?: ReadonlyArray<object>
  readonly spill?: object
  readonly leg?: object
  readonly journal?: Journal
  readonly drain?: Duration.Input
  readonly far?: (transport: Transport) => Partial<Transport>
  readonly disk?: (transport: Transport) => Partial<Transport>
}

export const openSpilling = Effect.fnUntraced(function* (places: SpillPlaces, setting: SpillSetting = {}) {
  const {
    policy = [
      { on: ["passing"], then: "spill" },
      { on: ["Rejected"], then: "drop" }
    ],
    far = () => ({}),
    disk = () => ({}),
    journal
  } = setting
  const routes = (version: number, spill: object = {}) => ({
    version,
    clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" } },
    policies: { leg: policy },
    routes: [
      {
        match: { stream: "*" },
        level: "stored",
        to: [
          {
            cluster: "far",
            topic: "notes",
            policy: "leg",
            linger: "1 milli",
            timeout: "500 millis",
            spill: { cluster: "disk", ...setting.spill, ...spill },
            ...setting.leg
          }
        ]
      }
    ]
  })
  const away = faultDriver(
    memoryDriver(places.far),
    live(() => places.faults)
  )
  const near = faultDriver(
    powerLossDriver(places.disk),
    live(() => places.diskFaults)
  )
  const leat = yield* Leat.make({
    source: "test",
    routes: routes(1),
    drain: setting.drain ?? "10 seconds",
    ...(journal === undefined ? {} : { journal }),
    drivers: [changed(away, far), changed(near, disk)]
  })
  return { leat, routes, notes: yield* leat.stream(noteContract()) }
})

/** Runs a story, and fails as it does. Gives what was warned of. */
export function spillStory<E>(program: Effect.Effect<void, E, Scope.Scope>, seed = 1): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const { exit } = simulate(
    seed,
    program.pipe(
      Effect.scoped,
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "Warn")
    ),
    { stepsMax }
  )
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return lines
}

export const until = (what: string, is: () => boolean, withinMs = 10_000) =>
  waitUntil(what, Effect.sync(is), { withinMs })
