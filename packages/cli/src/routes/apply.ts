import { randomUUID } from "node:crypto"
import { Clock, Console, Duration, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ControlTools } from "leat"
import type { Transport } from "leat/transport"
import { dryRun } from "../flags.ts"
import { compileDocument, misuse, openForWriting, readDocument } from "../openCluster.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { behind, controlFailure, controlFlags, readControl } from "./controlFlags.ts"

/** From one look at who has the document in force to the next one. */
const lookEvery = Duration.millis(500)

/** Writes a document for a whole fleet. */
export const apply = Command.make(
  "apply",
  {
    document: Argument.String("document").pipe(Argument.withDescription("Route document that all are to have")),
    ...controlFlags,
    reason: Flag.String("reason").pipe(
      Flag.withDefault(""),
      Flag.withDescription("Why, in one sentence, for those who read the stream")
    ),
    wait: Flag.String("wait").pipe(
      Flag.optional,
      Flag.withDescription("Wait until all processes have it in force, for so long: 30 seconds")
    ),
    dryRun: dryRun.pipe(Flag.withDescription("Check the document, and write nothing"))
  },
  Effect.fnUntraced(function* (flags) {
    const waitMs = Option.isSome(flags.wait) ? yield* parseWait(flags.wait.value) : undefined
    const document = yield* readDocument(flags.document)
    const { version: next } = yield* compileDocument(flags.document, document)
    const { transport } = yield* openForWriting(flags)
    yield* isNewer(transport, flags.topic, next)
    const { topic, reason } = flags
    if (flags.dryRun) {
      const text = `version ${next} of ${flags.document} can be applied`
      return yield* flags.json ? printJson({ topic, dryRun: true }) : Console.log(text)
    }
    const author = `leat-cli ${randomUUID()}`
    const applying = ControlTools.apply(transport, { topic, author, document, reason })
    const { version } = yield* Effect.mapError(applying, controlFailure)
    const late = waitMs === undefined ? undefined : yield* awaited(transport, topic, version, waitMs)
    if (late !== undefined && late.length > 0) {
      const names = late.map(({ incarnation, applied }) => `${incarnation} has ${applied}`).join(", ")
      const message = `version ${version} was applied, and ${plural(late.length, "process has", "processes have")} another one in force: ${names}`
      return yield* Effect.fail(new CommandFailure({ code: exitCode.failed, message, report: { version, late } }))
    }
    yield* flags.json ? printJson({ topic, version }) : Console.log(`version ${version} of ${topic} is applied`)
  }, Effect.scoped)
).pipe(Command.withDescription("Apply a route document to a fleet that follows a control stream"))

function parseWait(text: string): Effect.Effect<number, CommandFailure> {
  const parsed = Option.map(Duration.fromInput(text as Duration.Input), Duration.toMillis)
  if (Option.isSome(parsed) && parsed.value >= 0) return Effect.succeed(parsed.value)
  return misuse(`--wait ${text} is no duration; say 30 seconds`)
}

/** Processes refuse a version that is not higher than what they have in force. */
const isNewer = Effect.fnUntraced(function* (
  transport: Transport,
  topic: string,
  next: number
): Effect.fn.Return<void, CommandFailure> {
  // A stream that is not there yet is made by its first document.
  const fleet = yield* Effect.option(ControlTools.read(transport, topic))
  const document = Option.getOrUndefined(fleet)?.document ?? ""
  if (document === "") return
  const compiled = yield* Effect.option(compileDocument(topic, document))
  const before = Option.getOrUndefined(compiled)?.version ?? 0
  if (next > before) return
  const message = `version ${next} is not higher than ${before}, which was applied; give it a higher number, also to go back to what it says`
  return yield* Effect.fail(new CommandFailure({ code: exitCode.failed, message }))
})

/** Who has not the version in force when the time is over; nobody as soon as all have it. */
const awaited = Effect.fnUntraced(function* (transport: Transport, topic: string, version: number, waitMs: number) {
  const startMs = yield* Clock.currentTimeMillis
  for (;;) {
    const late = behind(yield* readControl(transport, topic), version)
    if (late.length === 0 || (yield* Clock.currentTimeMillis) - startMs >= waitMs) return late
    yield* Effect.sleep(lookEvery)
  }
})
