import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { parseBeaconLine } from "./beaconFile.ts"
import { type Line, lineLengthMax } from "./Line.ts"
import { parseLogLine } from "./logFile.ts"
import type { SampleFile } from "./sample.ts"

/** One input: lines with the time at which each has to be played, in microseconds after the first. */
export interface TimedLine {
  readonly line: Line
  readonly offsetUs: number
}

export interface InputSource {
  readonly name: string
  readonly lines: () => AsyncIterable<TimedLine>
}

/** Files are read line by line: an input may be larger than memory. `name` is what their lines are called by. */
export function fileSource(path: string, name: string, kind: "beacons" | "logs"): InputSource {
  return {
    name,
    lines: () =>
      timed(createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY }), name, kind)
  }
}

/** Pause between two recordings that are played one after the other, in microseconds. */
const betweenUs = 5_000_000

/** Plays recordings of the same beacons in the order of their times, so that no beacon is in two places at once. */
export async function inSequence(name: string, sources: ReadonlyArray<InputSource>): Promise<InputSource> {
  const started = await Promise.all(sources.map(async (source) => ({ source, atUs: await firstTime(source) })))
  const sorted = started
    .toSorted((a, b) => (a.atUs < b.atUs ? -1 : a.atUs > b.atUs ? 1 : 0))
    .map(({ source }) => source)
  async function* lines(): AsyncIterable<TimedLine> {
    let baseUs = 0
    for (const source of sorted) {
      let lastUs = 0
      for await (const { line, offsetUs } of source.lines()) {
        lastUs = offsetUs
        yield { line, offsetUs: baseUs + offsetUs }
      }
      baseUs += lastUs + betweenUs
    }
  }
  return { name, lines }
}

async function firstTime({ lines }: InputSource): Promise<bigint> {
  for await (const { line } of lines()) if (line.kind !== "malformed") return line.atUs
  return 0n
}

export function sampleSource({ name, kind, lines }: SampleFile): InputSource {
  return { name, lines: () => timed(lines, name, kind) }
}

/** Blank lines are nothing; every other line is one event or one malformed line. */
async function* timed(
  lines: AsyncIterable<string> | Iterable<string>,
  name: string,
  kind: "beacons" | "logs"
): AsyncIterable<TimedLine> {
  const parse = kind === "beacons" ? parseBeaconLine : parseLogLine
  let number = 0
  let startUs: bigint | undefined
  let offsetUs = 0
  for await (const text of lines) {
    number++
    if (text.trim() === "") continue
    const ref = `${name}:${number}`
    const line: Line =
      text.length > lineLengthMax
        ? { kind: "malformed", ref, reason: `it is longer than ${lineLengthMax} characters` }
        : parse(text, ref)
    if (line.kind !== "malformed") {
      startUs ??= line.atUs
      // Lines that go back in time are played with the one before.
      offsetUs = Math.max(offsetUs, Number(line.atUs - startUs))
    }
    yield { line, offsetUs }
  }
}
