import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ControlTools } from "leat"
import { dryRun } from "../flags.ts"
import { by } from "../dlq/letterFlags.ts"
import { compileDocument, readDocument } from "../openCluster.ts"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { tellApplied } from "./awaited.ts"
import { controlFailure, controlFlags, parseWait, processesText, wait } from "./controlFlags.ts"
import { authorOf, findControl, notMade, openControlForWriting } from "./openControl.ts"

/** Writes a document for a whole fleet. */
export const apply = Command.make(
  "apply",
  {
    document: Argument.String("document").pipe(Argument.withDescription("Route document that all are to have")),
    ...controlFlags,
    reason: Flag.String("reason").pipe(
      Flag.withDefault(""),
      Flag.withDescription("Why, in one sentence, for those who read the history")
    ),
    by,
    wait,
    create: Flag.Boolean("create").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Make the log and the topic where they are not there: before any process was opened")
    ),
    dryRun: dryRun.pipe(Flag.withDescription("Check the document, and write nothing"))
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, reason, json } = flags
    const waitMs = yield* parseWait(flags.wait)
    const document = yield* readDocument(flags.document)
    const { version: next } = yield* compileDocument(flags.document, document)
    if (document.length > ControlTools.documentCharsMax) {
      const message = `${flags.document} has ${document.length} characters, and a document for a fleet has at most ${ControlTools.documentCharsMax}; a service can read a longer one from its own file`
      return yield* new CommandFailure({ code: exitCode.failed, message })
    }
    const found = yield* Effect.scoped(findControl(flags))
    if (Option.isNone(found) && !flags.create) return yield* notMade(flags, "start one, or make it now with --create")
    const fleet = Option.map(found, (one) => one.fleet)
    const before = Option.match(fleet, { onNone: () => 0, onSome: ({ version }) => version })
    if (next <= before) {
      const message = `version ${next} of ${flags.document} is not higher than ${before}, which was applied last; give it a higher number, also to go back to what it says`
      return yield* new CommandFailure({ code: exitCode.failed, message, report: { topic, version: before } })
    }
    if (flags.dryRun) {
      const follows = Option.match(fleet, { onNone: () => "the control stream would be made", onSome: processesText })
      if (json) return yield* printJson({ topic, dryRun: true, version: next, before })
      return yield* Console.log(`version ${next} of ${flags.document} can be applied; ${follows}`)
    }
    const transport = yield* openControlForWriting(flags, flags.create)
    const applying = ControlTools.apply(transport, { topic, author: authorOf(flags.by), document, reason })
    const { version } = yield* Effect.mapError(applying, controlFailure)
    const text = `version ${version} of ${flags.document} is applied`
    yield* tellApplied({ transport, topic, version, waitMs, json }, text)
  }, Effect.scoped)
).pipe(Command.withDescription("Apply a route document to a fleet that follows a control stream"))
