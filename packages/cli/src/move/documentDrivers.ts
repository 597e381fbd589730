/**
 * Drivers for the clusters of documents that somebody asks where they have their streams: nothing is made in them but what is
 * asked for by `ensure`. One of a broker is imported when a cluster of it is opened, and not before.
 */
import { statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { log, logCapabilities, readLog } from "@leat/log"
import { Effect, Scope, Stream } from "effect"
import { type Driver, memory, TransportError } from "leat"
import type { ClusterConfig, Transport } from "leat/transport"
import { brokerDrivers, importDriver } from "../importDriver.ts"

const failure = (transport: string, detail: string, reason: "Unsupported" | "UnknownTopic" = "Unsupported") =>
  new TransportError({ reason, transport, operation: "open", detail })

/** What is in the memory of a process can be asked by that process alone. */
const ownMemory: Driver = {
  ...memory,
  open: (cluster) =>
    Effect.fail(
      failure(
        memory.name,
        `cluster ${cluster} is in the memory of the process that opened it, where nobody else can look; start its moves there, by MoveTools of leat`
      )
    )
}

/** A log that is not there has no topics yet. It is made with the first topic that is, and by nothing else. */
const quietLog: Driver = {
  ...log,
  open: (cluster, config, reread) =>
    Effect.matchEffect(Effect.scoped(readLog(String(config["directory"]))), {
      onSuccess: () => log.open(cluster, config, reread),
      onFailure: (error) =>
        error.reason === "UnknownTopic" ? logToBe(config, log.open(cluster, config, reread)) : Effect.fail(error)
    })
}

/** Of a log whose section does not say it. */
const logPartitions = 4

/** It answers as the log would that is made there. `opening` makes it. */
const logToBe = Effect.fnUntraced(function* (
  config: ClusterConfig,
  opening: Effect.Effect<Transport, TransportError, Scope.Scope>
): Effect.fn.Return<Transport, TransportError, Scope.Scope> {
  const directory = String(config["directory"])
  const fault = folderFault(directory)
  if (fault !== undefined) return yield* failure(log.name, `no log can be made in ${directory}: ${fault}`)
  const scope = yield* Effect.scope
  const made = yield* Effect.cached(
    Effect.tap(Scope.provide(opening, scope), (opened) => Effect.sync(() => void (transport = opened)))
  )
  let transport: Transport | undefined
  const missing = failure(log.name, `there is no log in ${directory}`, "UnknownTopic")
  const orMissing = <A>(ask: (of: Transport) => Effect.Effect<A, TransportError>) =>
    Effect.suspend(() => (transport === undefined ? Effect.fail(missing) : ask(transport)))
  const { partitions } = config
  return {
    name: log.name,
    capabilities: logCapabilities(config),
    read: (...asked) => (transport === undefined ? Stream.fail(missing) : transport.read(...asked)),
    bounds: (...asked) => orMissing((of) => of.bounds(...asked)),
    groups: (topic) => orMissing((of) => of.groups?.(topic) ?? Effect.succeed([])),
    openWriter: (topic) => Effect.suspend(() => transport?.openWriter(topic) ?? Effect.fail(missing)),
    partitionsOf: (topic) =>
      Effect.suspend(
        () =>
          transport?.partitionsOf(topic) ?? Effect.succeed(typeof partitions === "number" ? partitions : logPartitions)
      ),
    subscribe: (subscription) => transport?.subscribe(subscription) ?? Stream.fail(missing),
    ensure: (spec) => Effect.flatMap(made, (one) => one.ensure(spec))
  }
})

/** Why a folder cannot be made; undefined: nothing is known that stands in its way. */
function folderFault(path: string): string | undefined {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found = statSync(folder, { throwIfNoEntry: false })
    if (found !== undefined) return found.isDirectory() ? undefined : `${folder} is no folder`
    if (dirname(folder) === folder) return undefined
  }
}

/** Takes any section; what is wrong with it is told when it is opened. */
function ofBroker(name: string): Driver {
  const open = (
    cluster: string,
    config: ClusterConfig,
    reread?: Effect.Effect<ClusterConfig, TransportError>
  ): Effect.Effect<Transport, TransportError, Scope.Scope> =>
    Effect.gen(function* () {
      const driver = yield* Effect.mapError(importDriver(name), ({ message }) => failure(name, message))
      const inspected = driver.inspect(config)
      if ("issues" in inspected)
        return yield* failure(name, inspected.issues.map(({ path, message }) => `${path}: ${message}`).join("; "))
      return yield* driver.open(cluster, config, reread)
    })
  return { ...memory, name, inspect: () => memory.inspect({}), open }
}

export const documentDrivers: ReadonlyArray<Driver> = [
  ownMemory,
  quietLog,
  ...Array.from(brokerDrivers.keys(), ofBroker)
]
