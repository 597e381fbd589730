import type { Message } from "@bufbuild/protobuf"
import { log } from "@leat/log"
import { Effect, Option, type Scope } from "effect"
import { type EventStream, Leat } from "leat"
import { CommandFailure, exitCode } from "../outcome.ts"
import type { Contracts, FoundContract } from "./Contracts.ts"
import type { ExactObject } from "./json/ExactJson.ts"
import { eventFromJson, runtimeContract } from "./runtimeContract.ts"
import type { Tally } from "./Tally.ts"

/** How long the log may refuse before events are given up. */
const patience = "30 seconds"

/** An event and the line it was read from. */
export interface NumberedEvent {
  readonly number: number
  readonly event: Message
}

/** Where events go that have no id yet: through leat, by contract, as a service would publish them. */
export interface EventTarget {
  /** Reads an event of the contract; throws what is wrong with it. */
  readonly read: (json: ExactObject) => Message
  /** Stores events; tells those that are rejected, and gives why others are not stored. */
  readonly store: (
    events: ReadonlyArray<NumberedEvent>,
    tally: Tally,
    reject: (number: number, why: string) => Effect.Effect<void>
  ) => Effect.Effect<string | undefined>
}

export interface EventTargetOptions {
  readonly folder: string
  /** Topic that the events go to, where it is not called like their stream. */
  readonly topic: Option.Option<string>
  readonly source: string
  /** Everything happens in memory. */
  readonly isDryRun: boolean
}

/** Opens a leat whose only route is to the log. */
export const openEventTarget = Effect.fnUntraced(function* (
  contracts: Contracts,
  found: FoundContract,
  options: EventTargetOptions
): Effect.fn.Return<EventTarget, CommandFailure, Scope.Scope> {
  const { folder, source, isDryRun } = options
  const contract = runtimeContract(found)
  const cluster = isDryRun ? { transport: "memory" } : { transport: log.name, directory: folder }
  const retry = { deadline: patience, base: "100 millis", factor: 2 }
  const routes = {
    version: 1,
    clusters: { log: cluster },
    policies: { patient: [{ on: ["*"], retry, then: "drop" }] },
    routes: [
      {
        match: { stream: "*" },
        to: [{ cluster: "log", topic: Option.getOrElse(options.topic, () => contract.stream), policy: "patient" }]
      }
    ]
  }
  // In memory nothing is ever on disk, and it is not asked to be.
  const asked = isDryRun ? { ...contract, needs: [] } : contract
  const stream = yield* Effect.gen(function* () {
    const leat = yield* Leat.make({ source, routes, drivers: [log] })
    return yield* leat.stream(asked)
  }).pipe(Effect.mapError(({ message }) => new CommandFailure({ code: exitCode.failed, message })))
  return {
    read: (json) => eventFromJson(contracts, found, json),
    store: (events, tally, reject) => store(stream, events, tally, reject)
  }
})

const store = Effect.fnUntraced(function* (
  stream: EventStream<Message>,
  events: ReadonlyArray<NumberedEvent>,
  tally: Tally,
  reject: (number: number, why: string) => Effect.Effect<void>
) {
  const { admitted, rejected, outcome } = yield* Effect.orDie(
    stream.publishAll(
      events.map(({ event }) => event),
      { level: "queued" }
    )
  )
  for (const { index, error } of rejected) yield* reject(events[index]?.number ?? 0, error.detail)
  const { stored, dropped } = yield* outcome
  tally.stored += stored
  tally.notStored += admitted - stored
  if (stored === admitted) return undefined
  return `the log did not take ${admitted - stored} events in ${patience} (${Object.keys(dropped).join(", ")})`
})
