import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { json, proto } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { checkDocument } from "./checkDocument.ts"
import { faultText } from "./faultText.ts"

/** Finds the faults of a document. */
export const validate = Command.make(
  "validate",
  {
    document: Argument.String("document").pipe(Argument.withDescription("Route document to check")),
    proto,
    json
  },
  Effect.fnUntraced(function* ({ document: file, proto: folder, json: isJson }) {
    const { faults, notes, routes, streams } = yield* checkDocument(file, folder)
    const report = { file, faults, notes, contracts: streams.length }
    if (!isJson) for (const note of notes) yield* Console.log(`note: ${note}`)
    if (routes === undefined) {
      const message = `${plural(faults.length, "fault")}:\n${faults.map((fault) => faultText(file, fault)).join("\n")}`
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    const { version, clusters, document } = routes
    const counted = { version, clusters: clusters.size, routes: document.routes.length }
    if (isJson) return yield* printJson({ ...report, ...counted })
    const parts = [plural(counted.clusters, "cluster"), plural(counted.routes, "route")]
    const checked = streams.length === 0 ? "" : `, with ${plural(streams.length, "contract")}`
    yield* Console.log(`${file} has no faults: version ${version}, ${parts.join(", ")}${checked}`)
  })
).pipe(Command.withDescription("Find all faults of a route document; exits 3 when there are any. Opens nothing"))
