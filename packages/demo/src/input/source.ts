import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { parseBeaconLine } from "./beaconFile.ts"
import type { Line } from "./Line.ts"
import { LogReader } from "./log/LogReader.ts"
import { type SampleFile, sampleWrittenMs } from "./sample.ts"
import { type TextLine, textLines } from "./TextLines.ts"

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
export function fileSource(path: string, name: string, kind: SampleFile["kind"]): InputSource {
  return { name, lines: () => timed(readFile(path, name, kind)) }
}

async function* readFile(path: string, name: string, kind: SampleFile["kind"]): AsyncIterable<Line> {
  const { mtimeMs } = await stat(path)
  yield* read(textLines(createReadStream(path)), name, kind, mtimeMs)
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
  return { name, lines: () => timed(read(textLines([Buffer.from(lines.join("\n"))]), name, kind, sampleWrittenMs)) }
}

/** Blank lines are nothing; every other line is an event, part of one, or malformed. */
async function* read(
  lines: AsyncIterable<TextLine>,
  name: string,
  kind: SampleFile["kind"],
  writtenMs: number
): AsyncIterable<Line> {
  if (kind === "beacons") {
    for await (const line of lines) if (line.text?.trim() !== "") yield parseBeaconLine(line, name)
    return
  }
  const reader = new LogReader(name, writtenMs)
  for await (const line of lines) yield* reader.push(line)
  yield* reader.end()
}

async function* timed(lines: AsyncIterable<Line>): AsyncIterable<TimedLine> {
  let startUs: bigint | undefined
  let offsetUs = 0
  for await (const line of lines) {
    // Lines before the first time of a log have none.
    if (line.kind !== "malformed" && line.atUs !== 0n) {
      startUs ??= line.atUs
      // Lines that go back in time are played with the one before.
      offsetUs = Math.max(offsetUs, Number(line.atUs - startUs))
    }
    yield { line, offsetUs }
  }
}
