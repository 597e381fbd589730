/**
 * Which partitions of a cluster store nothing although something is sent to them: told once for each sink when it lasts, and once when it is over.
 * Without it a broker that is away or frozen would be seen only when the buffers are full.
 */
import { type Context, Effect } from "effect"
import * as Telemetry from "../Telemetry.ts"
import type { PartitionHome } from "./Pumped.ts"

/** How long a partition may store nothing until that is told, in milliseconds. */
export const standstillMs = 10_000

/** How long what has failed is shown after it has failed last, in milliseconds. */
const quietMs = 120_000

/** After so long without a failure it is another trouble that begins: nothing was sent meanwhile. Retries have longer pauses than two minutes. In milliseconds. */
const forgetMs = 900_000

/**
 * How long a partition that was told of is not told of again, in milliseconds. Where an event comes now and then and is given up each time, nothing
 * waits in between, and so it seems to be over each time.
 */
const tellAgainMs = 600_000

/** How often it is looked at most whether what has stood waits still, in milliseconds: lanes are many. */
const lookMs = 1000

/** Partitions that are named. */
const namesMax = 8

/** Sends of one partition that were not stored, with none in between that was. Times are milliseconds of the monotonic clock. */
interface Trouble {
  /** When the first of them began. */
  readonly sinceMs: number
  /** When the last of them was known. */
  readonly lastMs: number
  readonly why: string
  /** When it was told last. */
  readonly toldMs: number
  /** When it was looked last whether something waits still. */
  lookedMs: number
}

export class Standstills {
  readonly #context: Context.Context<never>
  readonly #nowMs: () => number
  readonly #troubles = new Map<PartitionHome, Map<number, Trouble>>()
  /** Sinks that were told of, and since when they stand. */
  readonly #told = new Map<PartitionHome, number>()

  constructor(context: Context.Context<never>, nowMs: () => number) {
    this.#context = context
    this.#nowMs = nowMs
  }

  /** A send that began at a time was not stored, or has no answer yet. */
  fails(home: PartitionHome, partition: number, sentAtMs: number, why: string): void {
    let troubles = this.#troubles.get(home)
    if (troubles === undefined) {
      troubles = new Map()
      this.#troubles.set(home, troubles)
    }
    const before = troubles.get(partition)
    const isSame = before !== undefined && sentAtMs - before.lastMs <= forgetMs
    const sinceMs = isSame ? before.sinceMs : sentAtMs
    const toldMs = isSame ? before.toldMs : Number.NEGATIVE_INFINITY
    const lookedMs = before?.lookedMs ?? Number.NEGATIVE_INFINITY
    troubles.set(partition, { sinceMs, lastMs: this.#nowMs(), why, toldMs, lookedMs })
    // What was told is over where nothing of it fails any more: this is another trouble.
    const isAnother = this.#forgetOld(home) || (before !== undefined && !isSame)
    if (isAnother && troubles.size === 1) this.#told.delete(home)
    if (this.#told.has(home)) return
    const trouble = this.troubleOf(home)
    const standing = this.#standing(home)
    if (trouble === undefined || !standing.some(([, one]) => this.#nowMs() - one.toldMs > tellAgainMs)) return
    for (const [number, one] of standing) troubles.set(number, { ...one, toldMs: this.#nowMs() })
    this.#told.set(home, sinceMs)
    this.#tell(`${home.leg.sink} ${trouble}; what is sent there waits or is given up, as its policy says`)
  }

  /** Something was stored. */
  stores(home: PartitionHome, partition: number): void {
    const troubles = this.#troubles.get(home)
    if (troubles === undefined) return
    const sinceMs = this.#told.get(home)
    troubles.delete(partition)
    this.#forgetOld(home)
    if (Array.from(troubles).some(([number, one]) => this.#isOpen(home, number, one))) return
    this.#told.delete(home)
    if (troubles.size === 0) this.close(home)
    if (sinceMs !== undefined) this.#tell(`${home.leg.sink} stores again, after ${seconds(this.#nowMs() - sinceMs)}`)
  }

  /** Whether what stood there may stand yet: it has failed a moment ago, or something waits to be sent once more. */
  #isOpen(home: PartitionHome, partition: number, trouble: Trouble): boolean {
    const nowMs = this.#nowMs()
    if (nowMs - trouble.lastMs <= quietMs || nowMs - trouble.lookedMs < lookMs) return true
    trouble.lookedMs = nowMs
    return !home.isIdle(partition)
  }

  /** Of a partition that has not failed for long nothing is sent any more: what stood was dropped, or went elsewhere. Says whether there was one. */
  #forgetOld(home: PartitionHome): boolean {
    let hasForgotten = false
    for (const [partition, { lastMs }] of this.#troubles.get(home) ?? []) {
      if (this.#nowMs() - lastMs <= forgetMs) continue
      this.#troubles.get(home)?.delete(partition)
      hasForgotten = true
    }
    return hasForgotten
  }

  /** What becomes of the partition is told otherwise. Returns whether it had been in trouble. */
  forget(home: PartitionHome, partition: number): boolean {
    const troubles = this.#troubles.get(home)
    if (troubles?.delete(partition) !== true) return false
    if (troubles.size === 0) this.close(home)
    return true
  }

  /** The sink has closed. */
  close(home: PartitionHome): void {
    this.#troubles.delete(home)
    this.#told.delete(home)
  }

  /** What of a sink stands, in words that follow its name; undefined while nothing has stood for long. */
  troubleOf(home: PartitionHome): string | undefined {
    const standing = this.#standing(home)
    const [first] = standing
    if (first === undefined) return undefined
    const sinceMs = Math.min(...standing.map(([, one]) => one.sinceMs))
    const named = standing.slice(0, namesMax).map(([partition]) => partition)
    const more = standing.length > namesMax ? ` and ${standing.length - namesMax} more` : ""
    const where = `${standing.length === 1 ? "partition" : "partitions"} ${named.join(", ")}${more}`
    return `has stored nothing on ${where} for ${seconds(this.#nowMs() - sinceMs)}: ${first[1].why}`
  }

  /** The partitions that have stood for long, in their order. */
  #standing(home: PartitionHome): ReadonlyArray<readonly [partition: number, trouble: Trouble]> {
    return Array.from(this.#troubles.get(home) ?? [])
      .filter(([, { sinceMs, lastMs }]) => lastMs - sinceMs >= standstillMs && this.#nowMs() - lastMs <= quietMs)
      .toSorted(([one], [other]) => one - other)
  }

  #tell(sentence: string): void {
    Effect.runForkWith(this.#context)(Telemetry.warn(sentence))
  }
}

/** For a person. */
export function seconds(ms: number): string {
  const whole = Math.round(ms / 1000)
  return `${whole} ${whole === 1 ? "second" : "seconds"}`
}
