import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ControlTools } from "leat"
import { dryRun } from "../flags.ts"
import { by } from "../dlq/letterFlags.ts"
import { compileDocument, readDocument } from "../openCluster.ts"
import { documentDrivers } from "../move/documentDrivers.ts"
import { CommandFailure, exitCode, printable, printJson } from "../outcome.ts"
import { tellApplied } from "./awaited.ts"
import { controlFailure, controlFlags, parseWait, processesText, wait } from "./controlFlags.ts"
import { type TwoDocuments, withApplied } from "./otherDocument.ts"
import { planned } from "./planned.ts"
import { tellUnmoved } from "./tellUnmoved.ts"
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
    dryRun: dryRun.pipe(Flag.withDescription("Check the document, tell what it would change, and write nothing"))
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, reason, json } = flags
    const waitMs = yield* parseWait(flags.wait)
    const document = yield* readDocument(flags.document)
    const after = yield* compileDocument(flags.document, document)
    const { version: next } = after
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
      const afterName = `version ${next} of ${flags.document}`
      return yield* tellDryRun(flags, { after, afterName, streams: [], notes: [] }, Option.getOrUndefined(fleet))
    }
    const transport = yield* openControlForWriting(flags, flags.create)
    if (Option.isSome(fleet)) yield* tellUnmoved({ transport, topic, fleet: fleet.value, after, version: next })
    const applying = ControlTools.apply(transport, {
      topic,
      author: authorOf(flags.by),
      document,
      reason,
      drivers: documentDrivers
    })
    const { version } = yield* Effect.mapError(applying, controlFailure)
    const text = `version ${version} of ${flags.document} is applied`
    yield* tellApplied({ transport, topic, version, waitMs, json }, text)
  }, Effect.scoped)
).pipe(Command.withDescription("Apply a route document to a fleet that follows a control stream"))

/** What would be done. What the document changes is the plan of it, where there is something to compare with. */
const tellDryRun = Effect.fnUntraced(function* (
  { topic, json }: { readonly topic: string; readonly json: boolean },
  next: Omit<TwoDocuments, "before" | "beforeName" | "fleet">,
  fleet: ControlTools.FleetTable | undefined
): Effect.fn.Return<void, CommandFailure> {
  const hasOther = fleet !== undefined && fleet.history.length > 0
  const plan = hasOther ? planned(yield* withApplied(next, fleet)) : undefined
  const report = { topic, dryRun: true, version: next.after.version, before: fleet?.version ?? 0 }
  if (json) return yield* printJson({ ...report, ...(plan === undefined ? {} : { plan: plan.report }) })
  const canBe = `${next.afterName} can be applied`
  if (plan === undefined)
    return yield* Console.log(
      `${canBe}; ${fleet === undefined ? "the control stream would be made" : processesText(fleet)}`
    )
  yield* Console.log(canBe)
  yield* Console.log(printable(plan.lines.join("\n")))
  for (const fault of plan.faults) yield* Console.log(printable(`a process that has it open would refuse: ${fault}`))
})
