/**
 * Many streams, and many keys, in one process: what one event costs when it is one of 10,000 open streams, what they cost while they are
 * nearly idle, and what one of 1,000,000 keys costs. Each figure is taken in a process of its own (`oneCase`).
 */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { round } from "./measure.ts"
import type { CaseFigures } from "./streamsCase.ts"

export interface StreamsFigures {
  /** Offer to stored, events spread evenly over so many streams of 8 partitions. */
  readonly spread: ReadonlyArray<{
    readonly streams: number
    readonly cpuUsPerEvent: number
    /** Processor time of an event as a multiple of that with one stream. */
    readonly ratio: number
    readonly mebibytesGrown: number
  }>
  /** As `spread`, on a transport that keeps nothing: leat alone. */
  readonly bare?: StreamsFigures["spread"]
  /** 10,000 open streams, and 100 events a second over all of them. */
  readonly idle: {
    readonly streams: number
    readonly coreShare: number
    /** Of one stream with the same 100 events a second: what the timers and the events themselves cost. */
    readonly coreShareOfOne: number
    readonly mebibytesGrown: number
    readonly mebibytesHeld: number
  }
  /** Offer to handled, by the number of keys. */
  readonly keys: ReadonlyArray<{
    readonly keys: number
    readonly cpuUsPerEvent: number
    /** As a multiple of that with 100 keys. */
    readonly ratio: number
  }>
}

const program = fileURLToPath(new URL("streamsCase.ts", import.meta.url))
const run = promisify(execFile)

async function oneCase(kind: "spread" | "bare" | "idle" | "keys", count: number): Promise<CaseFigures> {
  const { stdout } = await run(process.execPath, [...process.execArgv, program, kind, String(count)], {
    timeout: 300_000
  })
  return JSON.parse(stdout) as CaseFigures
}

export async function benchStreams(): Promise<StreamsFigures> {
  const spread = await ratios("spread")
  const bare = await ratios("bare")
  const alone = await oneCase("idle", 1)
  const idle = await oneCase("idle", 10_000)
  const keys: Array<CaseFigures> = []
  for (const count of [100, 1_000_000]) keys.push(await oneCase("keys", count))
  const few = keys[0]?.cpu ?? 1
  return {
    spread,
    bare,
    idle: {
      streams: idle.count,
      coreShare: idle.cpu,
      coreShareOfOne: alone.cpu,
      mebibytesGrown: idle.mebibytesGrown,
      mebibytesHeld: idle.mebibytesHeld
    },
    keys: keys.map(({ count, cpu }) => ({ keys: count, cpuUsPerEvent: cpu, ratio: round(cpu / few) }))
  }
}

async function ratios(kind: "spread" | "bare"): Promise<StreamsFigures["spread"]> {
  const cases: Array<CaseFigures> = []
  for (const count of [1, 100, 1000, 10_000]) cases.push(await oneCase(kind, count))
  const one = cases[0]?.cpu ?? 1
  return cases.map(({ count, cpu, mebibytesGrown }) => ({
    streams: count,
    cpuUsPerEvent: cpu,
    ratio: round(cpu / one),
    mebibytesGrown
  }))
}
