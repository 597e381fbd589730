/**
 * Drivers for the clusters of documents that somebody asks where they have their streams: nothing is made in them. One of a broker is imported when a
 * cluster of it is opened, and not before.
 */
import { log, logCapabilities, readLog } from "@leat/log"
import { Effect, type Scope, Stream } from "effect"
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

/** A log that is not there has no topics yet, and none is made. */
const quietLog: Driver = {
  ...log,
  open: (cluster, config, reread) =>
    Effect.matchEffect(Effect.scoped(readLog(String(config["directory"]))), {
      onSuccess: () => log.open(cluster, config, reread),
      onFailure: (error) =>
        error.reason === "UnknownTopic" ? Effect.succeed(emptyLog(String(config["directory"]))) : Effect.fail(error)
    })
}

function emptyLog(directory: string): Transport {
  const missing = failure(log.name, `there is no log in ${directory}`, "UnknownTopic")
  return {
    name: log.name,
    capabilities: logCapabilities({}),
    read: () => Stream.fail(missing),
    bounds: () => Effect.fail(missing),
    groups: () => Effect.fail(missing),
    openWriter: () => Effect.fail(missing),
    partitionsOf: () => Effect.fail(missing),
    subscribe: () => Stream.fail(missing),
    ensure: () => Effect.fail(missing)
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
