import { Console, Effect, Option, Result, type Scope } from "effect"
import { type CommandFailure, printable } from "../outcome.ts"
import type { EventTarget, NumberedEvent } from "./EventTarget.ts"
import { parseLine, type RecordLine } from "./parseLine.ts"
import type { Line } from "./readLines.ts"
import type { RecordTarget } from "./RecordTarget.ts"
import type { Tally } from "./Tally.ts"

/** What publishing lines needs; the targets are opened by the first line that wants them. */
export interface Publishing {
  /** Instead of the topic that a whole record names. */
  readonly topic: Option.Option<string>
  readonly records: Effect.Effect<RecordTarget, CommandFailure, Scope.Scope>
  readonly events: Effect.Effect<EventTarget, CommandFailure, Scope.Scope>
  readonly tally: Tally
}

/**
 * Publishes some lines. A line that is wrong is told and counted, and the others go on. Gives why to stop, when the log did not
 * take something: what comes behind it must not be stored before it.
 */
export const publishLines = Effect.fnUntraced(function* (lines: ReadonlyArray<Line>, publishing: Publishing) {
  const { tally } = publishing
  tally.offered += lines.length
  const reject = (number: number, why: string) => {
    tally.malformed++
    return Console.error(`leat: line ${number}: ${printable(why)}`)
  }
  const lanes = new Map<string, Array<RecordLine>>()
  const events: Array<NumberedEvent> = []
  for (const line of lines) {
    const parsed = "fault" in line ? Result.fail(line.fault) : attempt(() => parseLine(line.text))
    if (Result.isFailure(parsed)) {
      yield* reject(line.number, parsed.failure)
      continue
    }
    const told = parsed.success
    if (told.kind === "record") {
      const record = { ...told, topic: Option.getOrElse(publishing.topic, () => told.topic) }
      const count = yield* (yield* publishing.records).partitions(record)
      const lane = `${record.partition} ${record.topic}`
      if (record.partition < count) lanes.set(lane, append(lanes.get(lane), record))
      else yield* reject(line.number, `${record.topic} has ${count} partitions, no ${record.partition}`)
    } else {
      const { read } = yield* publishing.events
      const event = attempt(() => read(told.json))
      if (Result.isSuccess(event)) events.push({ number: line.number, event: event.success })
      else yield* reject(line.number, event.failure)
    }
  }
  const waiting = [...lanes.values()]
  for (const lane of waiting) {
    const why = yield* (yield* publishing.records).store(lane, tally)
    if (why === undefined) continue
    tally.notStored += waiting.slice(waiting.indexOf(lane) + 1).flat().length + events.length
    return why
  }
  if (events.length === 0) return undefined
  return yield* (yield* publishing.events).store(events, tally, reject)
})

function attempt<A>(read: () => A): Result.Result<A, string> {
  return Result.try({ try: read, catch: (error) => (error instanceof Error ? error.message : String(error)) })
}

function append<A>(to: Array<A> | undefined, item: A): Array<A> {
  if (to === undefined) return [item]
  to.push(item)
  return to
}
