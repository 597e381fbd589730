import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ControlTools } from "leat"
import { by } from "../dlq/letterFlags.ts"
import { dryRun } from "../flags.ts"
import { documentDrivers } from "../move/documentDrivers.ts"
import { misuse } from "../openCluster.ts"
import { printJson } from "../outcome.ts"
import { tellApplied } from "./awaited.ts"
import { controlFailure, controlFlags, parseWait, processesText, wait } from "./controlFlags.ts"
import { unknownVersion } from "./history.ts"
import { tellUnmovedBy } from "./tellUnmoved.ts"
import { authorOf, openControl, openControlForWriting } from "./openControl.ts"

/** Applies an older document again. */
export const rollback = Command.make(
  "rollback",
  {
    ...controlFlags,
    to: Flag.Int("to").pipe(
      Flag.optional,
      Flag.withDescription("Version to go back to, of those in the history; needed")
    ),
    reason: Flag.String("reason").pipe(
      Flag.optional,
      Flag.withDescription("Why, in one sentence, for those who read the history; needed")
    ),
    by,
    wait,
    dryRun: dryRun.pipe(Flag.withDescription("Look whether the version is there, and write nothing"))
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, json } = flags
    if (Option.isNone(flags.to))
      return yield* misuse("say by --to which version to go back to; leat routes history lists them")
    const reason = Option.getOrElse(flags.reason, () => "").trim()
    if (reason === "") return yield* misuse("say why by --reason: it stands in the history of the fleet")
    const waitMs = yield* parseWait(flags.wait)
    const asked = flags.to.value
    const { fleet } = yield* Effect.scoped(openControl(flags))
    const past = fleet.history.find(({ version }) => version === asked)
    if (past === undefined) return yield* unknownVersion(asked, fleet.history)
    if (flags.dryRun && asked !== fleet.version) {
      const version = fleet.version + 1
      if (json) return yield* printJson({ topic, dryRun: true, version, to: asked, before: fleet.version })
      return yield* Console.log(`version ${version} would say what version ${asked} says; ${processesText(fleet)}`)
    }
    const transport = yield* openControlForWriting(flags)
    yield* tellUnmovedBy({ transport, topic, fleet, version: fleet.version + 1 }, past.document)
    const back = ControlTools.rollback(transport, {
      topic,
      author: authorOf(flags.by),
      version: asked,
      reason,
      drivers: documentDrivers
    })
    const { version } = yield* Effect.mapError(back, controlFailure)
    const text = `version ${version} is applied, and says what version ${asked} says`
    yield* tellApplied({ transport, topic, version, waitMs, json }, text)
  }, Effect.scoped)
).pipe(Command.withDescription("Take a fleet back to an older document: it is applied again, with a new version"))
