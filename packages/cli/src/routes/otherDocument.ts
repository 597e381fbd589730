/** Two documents: the one that was applied last, or that a file has, and the one that may take its place. */
import { Effect, Option } from "effect"
import { Argument, type Command, Flag } from "effect/cli"
import type { ControlTools, Routes } from "leat"
import { proto } from "../flags.ts"
import { compileDocument, misuse, readDocument } from "../openCluster.ts"
import { CommandFailure, exitCode, plural } from "../outcome.ts"
import { checkDocument } from "./checkDocument.ts"
import { controlFlags } from "./controlFlags.ts"
import { faultText } from "./faultText.ts"
import { openControl } from "./openControl.ts"

export const otherFlags = {
  document: Argument.String("document").pipe(Argument.withDescription("Route document that may be applied")),
  ...controlFlags,
  against: Flag.String("against").pipe(
    Flag.optional,
    Flag.withDescription("Compare with this document, and not with the one that was applied last; opens no cluster")
  ),
  offline: Flag.Boolean("offline").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Open no cluster, as in a build; the document in force is named by --against")
  ),
  proto
}

export type OtherFlags = Command.Command.Config.Infer<typeof otherFlags>

/** What is compared. */
export interface TwoDocuments {
  readonly before: Routes
  /** Where it is from, for a person: `version 12 of old.yaml`. */
  readonly beforeName: string
  readonly after: Routes
  readonly afterName: string
  /** Streams of the contracts that were found. */
  readonly streams: ReadonlyArray<string>
  /** What could not be checked, as sentences. */
  readonly notes: ReadonlyArray<string>
  /** Undefined: nobody was asked. */
  readonly fleet: ControlTools.FleetTable | undefined
}

/** Reads both. A document with faults is refused before anything is compared: exit code 3. */
export const twoDocuments = Effect.fnUntraced(function* (flags: OtherFlags) {
  const file = flags.document
  if (flags.offline && Option.isNone(flags.against))
    return yield* misuse("--offline looks at no cluster; name the document that is in force by --against")
  const checked = yield* checkDocument(file, flags.proto)
  if (checked.faults.length > 0) {
    const faults = checked.faults.map((fault) => faultText(file, fault)).join("\n")
    const message = `refused, ${plural(checked.faults.length, "fault")}:\n${faults}`
    const report = { verdict: "refused", refused: checked.faults, notes: checked.notes }
    return yield* new CommandFailure({ code: exitCode.violations, message, report })
  }
  // With the same drivers as the other one, so that no cluster differs by how it was checked.
  const after = yield* compileDocument(file, yield* readDocument(file))
  const { streams, notes } = checked
  const next = { after, afterName: `version ${after.version} of ${file}`, streams, notes }
  if (Option.isNone(flags.against)) return yield* withApplied(next, (yield* openFleet(flags)).fleet)
  const name = flags.against.value
  const before = yield* compileDocument(name, yield* readDocument(name))
  const two: TwoDocuments = { ...next, before, beforeName: `version ${before.version} of ${name}`, fleet: undefined }
  return two
})

const openFleet = (flags: OtherFlags) =>
  Effect.scoped(openControl(flags, "name the document that is in force by --against"))

/** A document beside the one that a fleet has. */
export const withApplied = Effect.fnUntraced(function* (
  next: Omit<TwoDocuments, "before" | "beforeName" | "fleet">,
  fleet: ControlTools.FleetTable
): Effect.fn.Return<TwoDocuments, CommandFailure> {
  if (fleet.history.length === 0) {
    const message = "no document was applied yet, so there is nothing to compare with; name one by --against"
    return yield* new CommandFailure({ code: exitCode.failed, message })
  }
  const before = yield* compileDocument("the document that was applied last", fleet.document)
  return { ...next, before, beforeName: `version ${before.version}, which was applied last`, fleet }
})
