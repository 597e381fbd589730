import { type Context, Effect } from "effect"
import { OutageWatch } from "../OutageWatch.ts"
import type { Policy } from "../Policy.ts"
import { warn } from "../Telemetry.ts"

/** Tells an outage of a sink from poison, only where there is something to tell apart; the one that there is already goes on. */
export function outageFor(
  policy: Policy,
  watch: OutageWatch | undefined,
  sink: string,
  context: Context.Context<never>
): OutageWatch | undefined {
  if (!policy.some(({ then }) => then === "deadLetter")) return undefined
  const tell = (isOutage: boolean) => {
    const sentence = isOutage
      ? `most of what is sent to ${sink} fails: what fails for a passing reason is not dead-lettered now, it waits and is tried again`
      : `most of what is sent to ${sink} is stored again; what still fails is dead-lettered`
    Effect.runForkWith(context)(warn(sentence))
  }
  return watch ?? new OutageWatch(tell)
}
