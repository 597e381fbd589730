import { Console, Duration, Effect, Option } from "effect"
import { type Command, Flag } from "effect/cli"
import type { MoveTools } from "leat"
import { misuse } from "../openCluster.ts"
import { CommandFailure, exitCode, plural, printable } from "../outcome.ts"

const duration = (name: string) => Flag.String(name).pipe(Flag.optional)

/** How streams go a few at a time. */
export const waveFlags = {
  wave: Flag.Int("wave").pipe(
    Flag.filter(
      (count) => count > 0,
      () => "--wave is 1 or more"
    ),
    Flag.optional,
    Flag.withDescription("Streams that go at a time: the next ones go when these are well. All at once when not given")
  ),
  maxPause: duration("max-pause").pipe(
    Flag.withDescription("With --wave: no more go when nothing of a stream was sent for longer than this: 5 seconds")
  ),
  waveWithin: duration("wave-within").pipe(
    Flag.withDescription(
      "With --wave: no more go when one takes longer until it is written in its new places and read to its end in the old ones; 10 minutes when not given"
    )
  )
}

/** Undefined: all at once. */
export const wavesOf = Effect.fnUntraced(function* (
  { wave, maxPause, waveWithin }: Command.Command.Config.Infer<typeof waveFlags>,
  isTold: boolean
): Effect.fn.Return<MoveTools.Waves | undefined, CommandFailure> {
  if (Option.isNone(wave)) {
    const alone = Option.isSome(maxPause) ? "--max-pause" : Option.isSome(waveWithin) ? "--wave-within" : undefined
    return alone === undefined
      ? undefined
      : yield* misuse(`${alone} goes with --wave, which says how many go at a time`)
  }
  const pauseMax = yield* parsed("--max-pause", maxPause)
  const within = yield* parsed("--wave-within", waveWithin)
  const context = yield* Effect.context<never>()
  const onWave = (ended: MoveTools.EndedWave) => Effect.runSyncWith(context)(Console.log(printable(waveText(ended))))
  return { streams: wave.value, pauseMax, within, ...(isTold ? { onWave } : {}) }
})

function parsed(
  name: string,
  text: Option.Option<string>
): Effect.Effect<Duration.Duration | undefined, CommandFailure> {
  if (Option.isNone(text)) return Effect.succeed(undefined)
  const found = Duration.fromInput(text.value as Duration.Input)
  return Option.isSome(found)
    ? Effect.succeed(found.value)
    : misuse(`${name} ${text.value} is no duration; say 5 seconds`)
}

function waveText({ wave, waves, streams }: MoveTools.EndedWave): string {
  const those = streams.map(({ stream, pauseMs }) => `${stream} (${(pauseMs / 1000).toFixed(1)} s)`)
  return `wave ${wave} of ${waves} has gone: ${those.join(", ")}`
}

/** Fails where they were stopped. */
export const tellStopped = ({ stopped, left, moved }: MoveTools.WavesEnd): Effect.Effect<void, CommandFailure> => {
  if (stopped === undefined) return Effect.void
  const stay =
    left.length === 0
      ? "all have gone"
      : `${plural(left.length, "stream stays where it is", "streams stay where they are")}, paused`
  const message = `stopped: ${stopped}; ${stay}${left.length === 0 ? "" : `: ${left.join(", ")}; leat move resume lets them go on`}`
  return Effect.fail(new CommandFailure({ code: exitCode.failed, message, report: { stopped, left, moved } }))
}
