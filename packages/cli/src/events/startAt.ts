import { Effect } from "effect"
import { CommandFailure, exitCode } from "../outcome.ts"

/** Where reading begins: `--from`. */
export type StartAt = "earliest" | "latest" | { readonly position: bigint } | { readonly timeMs: number }

/** Reads `earliest`, `latest`, a position or an ISO 8601 time. */
export const parseStartAt = (text: string): Effect.Effect<StartAt, CommandFailure> => {
  if (text === "earliest" || text === "latest") return Effect.succeed(text)
  if (/^\d{1,16}$/.test(text)) return Effect.succeed({ position: BigInt(text) })
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(timeMs)) return Effect.succeed({ timeMs })
  const message = `--from ${text} is no beginning; say earliest, latest, a position (4711) or a time (2026-11-24T09:00:00Z)`
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}
