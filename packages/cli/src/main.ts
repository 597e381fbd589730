import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Runtime } from "effect"
import { leat } from "./leat.ts"
import { watchOutput } from "./outputPipe.ts"
import { runCommand } from "./runCommand.ts"

/** What a command that was interrupted ends with, unless it says that for it this is the way to end. */
const interrupted = 130

watchOutput()
runCommand(leat, process.argv.slice(2)).pipe(
  Effect.map((code) => {
    process.exitCode = code
  }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    teardown: (exit, onExit) =>
      Runtime.defaultTeardown(exit, (code) => onExit(code === interrupted ? Number(process.exitCode ?? code) : code))
  })
)
