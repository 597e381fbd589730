import { resolve } from "node:path"
import { Effect, Result, Schema, SchemaIssue } from "effect"
import { type Driver, formFault, hasReference, TransportError } from "leat/transport"
import { logCapabilities } from "./LogOptions.ts"
import { logTransport } from "./LogTransport.ts"
import { noteOpened } from "./ledger/openedHere.ts"

const bytes = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Config = Schema.Struct({
  directory: Schema.String.check(Schema.isMinLength(1)),
  partitions: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
  recordBytesMax: Schema.optionalKey(bytes(256, 256 * 1024 ** 2)),
  retention: Schema.optionalKey(
    Schema.Struct({
      timeMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 ** 13 }))),
      bytes: Schema.optionalKey(bytes(4096, 1024 ** 5)),
      idsMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 3_600_000, maximum: 10 ** 13 })))
    })
  ),
  bytesMax: Schema.optionalKey(bytes(1024 ** 2, 1024 ** 5)),
  leaseMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 150, maximum: 600_000 })))
})
const decodeConfig = Schema.decodeUnknownResult(Config, { errors: "all", onExcessProperty: "error" })
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * The driver that route documents call `@leat/log`. The other fields of the cluster section are those of `LogOptions`; what
 * is wrong with them is a fault of the document.
 *
 * @example
 * ```ts
 * const routes = {
 *   version: 1,
 *   clusters: { local: { transport: "@leat/log", directory: "./data", retention: { timeMs: 604_800_000 } } },
 *   routes: [{ match: { stream: "risk.beacons.*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
 * }
 * const leat = yield* Leat.make({ source: "gateway", routes, drivers: [log] })
 * ```
 */
export const log: Driver = {
  name: "@leat/log",
  inspect: (config) => {
    const decoded = decodeConfig(config)
    if (Result.isSuccess(decoded)) {
      const { directory } = decoded.success
      // A reference is not a path yet: two equal ones are one directory all the same.
      const path = hasReference(directory) ? directory : resolve(directory)
      return { capabilities: logCapabilities(decoded.success), addresses: [`directory:${path}`] }
    }
    const { issues } = formatIssues(decoded.failure.issue)
    return { issues: issues.map((issue) => formFault(issue, Config)) }
  },
  open: (cluster, config) =>
    Effect.suspend(() => {
      const decoded = decodeConfig(config)
      if (Result.isSuccess(decoded)) {
        const { directory } = decoded.success
        return Effect.tap(logTransport(decoded.success), () => Effect.sync(() => noteOpened(cluster, directory)))
      }
      const detail = `cluster ${cluster}: ${decoded.failure.message}`
      return Effect.fail(
        new TransportError({ reason: "Unsupported", transport: "@leat/log", operation: "open", detail })
      )
    })
}
