import { resolve } from "node:path"
import { type Ledgers, readLedgers } from "@leat/log"
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { directory, json } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { openFailure } from "./openLog.ts"
import { sumLedgers } from "./sumLedgers.ts"

/** Sums what processes announced of their events. */
export const ledger = Command.make(
  "ledger",
  { directory, json },
  Effect.fnUntraced(function* (flags) {
    const { ledgers, unreadable } = yield* Effect.mapError(readLedgers(flags.directory), openFailure)
    const sums = sumLedgers(ledgers)
    const crashLost = sums.legs.reduce((sum, leg) => sum + leg.crashLost, 0)
    const rows = ledgers.flatMap(({ streams, legs, lanes }) => [...streams, ...legs, ...lanes])
    const isBalanced = rows.every(({ balanced }) => balanced)
    const incarnations = ledgers.map(({ incarnation, source, owner, announcedAtMs, state, crashLosses }) => {
      return { incarnation, source, owner, announcedAt: new Date(announcedAtMs).toISOString(), state, crashLosses }
    })
    const report = {
      directory: resolve(flags.directory),
      balanced: isBalanced,
      crashLost,
      ...sums,
      incarnations,
      unreadable
    }
    for (const { path, why } of unreadable) yield* Console.error(`leat: ${path}: ${why}`)
    if (!flags.json) yield* print(ledgers, sums)
    if (!isBalanced) {
      const message =
        "what was announced does not balance; that is a fault of leat, keep the folder and tell its makers"
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    if (flags.json) yield* printJson(report)
  })
).pipe(
  Command.withDescription("Sum what processes announced of their events: offered, stored, dropped, lost in crashes")
)

function print(ledgers: Ledgers["ledgers"], { streams, legs, groups }: ReturnType<typeof sumLedgers>) {
  const parts: Array<string> = []
  const gone = ledgers.filter(({ state }) => state === "gone" || state === "forgotten")
  const hasGone = ({ stream, sink }: { readonly stream: string; readonly sink: string }) =>
    gone.some((one) => one.legs.some((leg) => leg.stream === stream && leg.sink === sink))
  if (streams.length > 0) {
    const rows = streams.map((row) => [row.stream, row.offered, row.admitted, row.rejected, row.waiting])
    parts.push(table(["STREAM", "OFFERED", "ADMITTED", "REJECTED", "WAITING"], rows))
  }
  if (legs.length > 0) {
    const headings = ["SINK", "STREAM", "ADMITTED", "STORED", "DROPPED", "PENDING", "CRASHLOST", "UNKNOWN"]
    const rows = legs.map((row) => [
      row.sink,
      row.stream,
      row.admitted,
      row.stored,
      row.dropped,
      row.pending,
      row.crashLost,
      // What a process that is gone admitted after its last announcement is in no file.
      hasGone(row) ? `${row.unknown}+` : row.unknown
    ])
    parts.push(table(headings, rows))
  }
  if (groups.length > 0) {
    const rows = groups.map((row) => [row.group, row.stream, row.positions, row.done, row.deadLettered, row.dropped])
    parts.push(table(["GROUP", "STREAM", "POSITIONS", "DONE", "DEAD", "DROPPED"], rows))
  }
  const states = (["running", "closed", "gone", "forgotten", "elsewhere"] as const).flatMap((state) => {
    const count = ledgers.filter((one) => one.state === state).length
    return count === 0 ? [] : [`${count} ${state}`]
  })
  const after =
    gone.length > 0 ? "; + is what those that are gone admitted after their last announcement, which no file says" : ""
  const told =
    states.length === 0 ? "; a service does when it is opened with the option ledger" : `: ${states.join(", ")}`
  return Console.log(
    [...parts, `${plural(ledgers.length, "process announced", "processes announced")}${told}${after}`].join("\n\n")
  )
}
