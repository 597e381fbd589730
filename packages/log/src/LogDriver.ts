import { resolve } from "node:path"
import { Effect, Result, Schema, SchemaIssue } from "effect"
import { type Driver, formFault, hasReference, TransportError } from "leat/transport"
import { logCapabilities } from "./LogOptions.ts"
import { logTransport } from "./LogTransport.ts"
import { noteOpened } from "./ledger/openedHere.ts"

const integer = (minimum: number, maximum: number, example: number) =>
  Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum, maximum })).annotate({ examples: [example] }))

/** What a system takes for a path; a variable of spaces, or with a line feed of `echo`, would be the name of a directory. */
const isPath = (text: string) => {
  if (text !== "" && text.trim() !== text) return "begins or ends with a space or a line feed"
  return /\p{Cc}/u.test(text) ? "holds a control character" : true
}

const Config = Schema.Struct({
  directory: Schema.String.check(Schema.isMinLength(1), Schema.makeFilter(isPath)).annotate({ examples: ["./data"] }),
  partitions: integer(1, 10_000, 8),
  recordBytesMax: integer(256, 256 * 1024 ** 2, 1_048_576),
  retention: Schema.optionalKey(
    Schema.Struct({
      timeMs: integer(1, 10 ** 13, 604_800_000),
      bytes: integer(4096, 1024 ** 5, 1_000_000_000),
      idsMs: integer(3_600_000, 10 ** 13, 604_800_000)
    }).annotate({ examples: [{ timeMs: 604_800_000 }] })
  ),
  bytesMax: integer(1024 ** 2, 1024 ** 5, 10_000_000_000),
  leaseMs: integer(150, 600_000, 3000)
})
const decodeConfig = Schema.decodeUnknownResult(Config, { errors: "all", onExcessProperty: "error" })
const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const faultsOf = (issue: SchemaIssue.Issue) => formatIssues(issue).issues.map((one) => formFault(one, Config))

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
      const { directory, retention } = decoded.success
      // A reference is not a path yet: two equal ones are one directory all the same.
      const path = hasReference(directory) ? directory : resolve(directory)
      const capabilities = logCapabilities(decoded.success)
      return { capabilities, addresses: [`directory:${path}`], keepsMs: retention?.timeMs }
    }
    return { issues: faultsOf(decoded.failure.issue) }
  },
  open: (cluster, config) =>
    Effect.suspend(() => {
      const decoded = decodeConfig(config)
      if (Result.isSuccess(decoded)) {
        const { directory } = decoded.success
        return Effect.tap(logTransport(decoded.success), () => Effect.sync(() => noteOpened(cluster, directory)))
      }
      const faults = faultsOf(decoded.failure.issue).map(({ path, message }) => `${path}: ${message}`)
      const detail = `cluster ${cluster}: ${faults.join("; ")}`
      return Effect.fail(
        new TransportError({ reason: "Unsupported", transport: "@leat/log", operation: "open", detail })
      )
    })
}
