import { Effect } from "effect"
import type { Role } from "../arguments.ts"
import type { Consumers } from "../consumers/consumers.ts"
import type { Streams } from "../streams/streams.ts"
import { estimateText, securityText, sosText } from "../domain/resultText.ts"
import { differences, type Expected, lineDifferences } from "./Expected.ts"
import type { LineSet } from "../streams/LineSet.ts"
import { storedLines, storedTexts } from "../streams/readBack.ts"

export interface Comparison {
  readonly streams: Streams
  readonly consumers: Consumers
  readonly expected: Expected
  readonly role: Role | undefined
  /** Whether the run has come to its end. If not, what is there must be right, and the rest may be missing. */
  readonly isComplete: boolean
}

/** How the part of a role differs from what the input says, judged by raw reads. Empty when it does not. */
export const compare = Effect.fnUntraced(function* ({ streams, consumers, expected, role, isComplete }: Comparison) {
  const faults: Array<string> = []
  const judge = (name: string, wanted: ReadonlyArray<string>, found: ReadonlyArray<string>) =>
    faults.push(...differences(name, wanted, found, { mayMiss: !isComplete }))
  const judgeLines = (name: string, wanted: LineSet, found: LineSet) =>
    faults.push(...lineDifferences(name, wanted, found, { mayMiss: !isComplete }))
  const { positions, sos, security } = consumers
  if (role === undefined || role === "publisher") {
    judgeLines("sightings stored", expected.sightings, yield* storedLines(streams.sightings, (one) => one.inputRef))
    judgeLines("log lines stored", expected.lines, yield* storedLines(streams.logs, (one) => one.inputRef))
  }
  if (role === undefined || role === "positions") {
    judgeLines("sightings handled", expected.sightings, yield* positions.handled)
    judge("estimates", expected.estimates, yield* storedTexts(streams.estimates, estimateText))
  }
  if (role === undefined || role === "alerts") {
    judgeLines("estimates handled", expected.located, yield* sos.handled)
    judgeLines("log lines handled", expected.lines, yield* security.handled)
    judge("SOS alerts", expected.sosAlerts, yield* storedTexts(streams.sosAlerts, sosText))
    judge("security alerts", expected.securityAlerts, yield* storedTexts(streams.securityAlerts, securityText))
  }
  return faults
})
