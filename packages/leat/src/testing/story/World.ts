/**
 * A world that stories play in: several leats, streams, legs, groups and callers, and what goes wrong in it. Data, drawn by a
 * seed, so that it can be printed, and told again.
 */
import { seededRandom } from "../seededRandom.ts"
import type { Mishap, Occasion } from "./Occasions.ts"
import { mishaps } from "./Occasions.ts"
import { drawCanaries } from "./drawCanaries.ts"
import { drawFallbacks } from "./drawFallbacks.ts"
import { drawMirrors } from "./drawMirrors.ts"
import { drawReading } from "./drawReading.ts"
import { drawSpills } from "./drawSpills.ts"

/** One leg of a stream of a world. */
export interface WorldLeg {
  /** Index of the cluster. */
  readonly cluster: number
  readonly topic: string
  readonly isRequired: boolean
  readonly overflow: "block" | "reject" | "dropOldest"
  readonly bufferBytes: number
  /**
   * What becomes of a send that fails. `keep`: tried until it is stored; a record that is `Rejected` alone halts the lane. `drop`: tried once
   * more. `setAside`: dead-lettered, at once where it is refused for good and after three attempts otherwise.
   */
  readonly policy: "keep" | "drop" | "setAside"
  readonly wire: "compact" | "cloudevents"
  readonly lingerMs: number
  readonly timeoutMs: number
  /** Share of the first sends that retries may be; undefined: there is no limit. */
  readonly budget?: number | undefined
  /** Whether it has a breaker, and a rule for what that keeps; undefined: none. */
  readonly breaker?: "waits" | "ends" | undefined
  /** What a disk takes while the cluster takes nothing; undefined: its policy does without. */
  readonly spill?: WorldSpill | undefined
  /** What another cluster takes instead; undefined: nothing, or it spills. */
  readonly fallback?: WorldFallback | undefined
  /** Only tables with such a version have it, so it comes and goes; undefined: all have it. */
  readonly isIn?: "even" | "odd" | undefined
  /** The share of the keys that it takes in tables with such a version; undefined: it takes all. */
  readonly canary?: { readonly even: WorldCanary; readonly odd: WorldCanary } | undefined
}

/** A share of the keys, as documents have it, and the buckets that it is of those of stories. */
export interface WorldCanary {
  readonly percent: string
  readonly buckets: ReadonlyArray<number>
}

/** How a leg falls back: what fails for a passing reason goes there, and the rules of its policy come after that. */
export interface WorldFallback {
  /** Retries before it. */
  readonly retries: number
  /** Index of the cluster, another one than that of the leg. */
  readonly cluster: number
  /** Of the cluster of a second fallback, another one than both; absent: there is none. */
  readonly further?: number | undefined
  readonly back: "redrive" | "stay"
}

/** How a leg spills: what fails for a passing reason goes to the disk, and the rules of its policy come after that. */
export interface WorldSpill {
  /** Retries before it. */
  readonly retries: number
  /** Bytes that it may hold. */
  readonly bytes: number
  /** Events a second that are sent on; undefined: as fast as they are taken. */
  readonly rate: number | undefined
}

/** What legs spill to: a disk that can lose its power. */
export interface WorldDisk {
  /** One for all leats, of which one has it at a time; otherwise each leat has its own. */
  readonly isShared: boolean
  /** How long what is written waits for its flush, in milliseconds. */
  readonly flushMs: number
}

/** One stream of a world, and its legs. */
export interface WorldStream {
  readonly stream: string
  readonly isCompacted: boolean
  readonly isOrdered: boolean
  /** The first one is required, and is read. */
  readonly legs: ReadonlyArray<WorldLeg>
}

/** One group of a world, and how it reads. */
export interface WorldGroup {
  readonly group: string
  /** Index of the stream. */
  readonly stream: number
  readonly api: "handle" | "handleBatch" | "subscribe"
  readonly members: number
  /**
   * What becomes of an event that fails for good. `retry`: none does. `deadLetter`: at once, others are tried again. `deadLetterAll`: everything
   * that fails three times. `drop`: at once. `halt`: its lane stands until somebody resumes it.
   */
  readonly ending: "retry" | "deadLetter" | "deadLetterAll" | "drop" | "halt"
  /**
   * Delays of its retry topics, in milliseconds: what fails three times is tried again after each of them, and events that are poison work after so
   * and so many attempts. Undefined: it has none.
   */
  readonly retryDelaysMs?: ReadonlyArray<number> | undefined
  /** Bytes that a lane holds, at most; undefined: as many as by default. */
  readonly readBytes?: number | undefined
  /** All letters are replayed at the end. */
  readonly isReplayed: boolean
}

/** A world, whole: what `tellWorld` plays. */
export interface World {
  readonly seed: number
  readonly clusters: number
  /** Leats, each a process of its own: publishers, and members of the groups. */
  readonly leats: number
  readonly streams: ReadonlyArray<WorldStream>
  readonly groups: ReadonlyArray<WorldGroup>
  /** Callers of each leat, one call after another. */
  readonly callers: number
  /** Calls of each caller. */
  readonly calls: number
  readonly keys: number
  /** Chance of each mishap at each of its occasions, 0 to 1. */
  readonly rates: Readonly<Partial<Record<Mishap, number>>>
  /** Most mishaps that are brought about, the first ones; undefined: as many as are drawn. */
  readonly mishapsMax: number | undefined
  /** A cluster whose every answer takes so long, in milliseconds. */
  readonly slow: { readonly cluster: number; readonly ms: number } | undefined
  /** Longest delay, and latest landing, in milliseconds. */
  readonly msMax: number
  /** Bound over all buffers of each leat, in bytes; undefined: each buffer has its own only. */
  readonly buffersBytes: number | undefined
  /** What legs spill to; undefined: none does. */
  readonly disk?: WorldDisk | undefined
  /** Whether the sections of its clusters change with tables, as where passwords are renewed; no when absent. */
  readonly rotates?: boolean
  /** Whether an application's tracer is there: then sends, handlings and settles have spans. */
  readonly isTraced: boolean
  /** What this story is after: the mishap is brought about where the state is found. */
  readonly focus: Occasion | undefined
}

/** What stories about dead letters have beside what all have. */
const letterMishaps: ReadonlyArray<Mishap> = ["hangSettle", "poison", "replay"]

/** What has to do with disks, processes and whole clusters is drawn beside the rest too. */
const lastingMishaps: ReadonlyArray<Mishap> = ["outage", "diskFull", "losePower", "crash"]

/** Largest record of the clusters of stories, in bytes. */
export const recordBytesMax = 20_000

/** Bytes of text of an event: from one to over what a cluster takes, and over what a buffer has. */
export const textBytes = [1, 1, 10, 10, 200, 200, 3000, 3000, 3000, 15_000, 19_500, 25_000, 70_000] as const

/**
 * The world of a seed. Each mishap is left out of most worlds, because one that is frequent keeps others from coming to where they matter.
 * With a focus everything that its state needs is likelier.
 *
 * @example
 * ```ts
 * drawWorld(42, { mishap: "cut", state: "inDoubt" }).streams.length // 1 to 3
 * ```
 */
export function drawWorld(seed: number, focus?: Occasion): World {
  const isClosing = focus?.state === "closing"
  const random = seededRandom(Math.imul(seed, 7919) + 17)
  // What has to do with dead letters is drawn beside the rest, and so is which legs set aside: the worlds of the seeds are otherwise what they were.
  const letters = seededRandom(Math.imul(seed, 104_729) + 5)
  const undelivered = seededRandom(Math.imul(seed, 15_485_863) + 11)
  const isLettering = focus?.state === "deadLettering" || focus?.mishap === "poison" || focus?.mishap === "replay"
  const upTo = (count: number) => 1 + Math.floor(random() * count)
  const chance = (share: number) => random() < share
  const clusters = upTo(2)
  const isFull = focus?.state === "waiting" || chance(0.25)
  const policyOf = (drawn: "keep" | "drop") => (undelivered() < 0.2 ? "setAside" : drawn)
  const leg = (topic: string, isRequired: boolean): WorldLeg => ({
    cluster: Math.floor(random() * clusters),
    topic,
    isRequired,
    overflow: isRequired && isFull ? "block" : one(random, ["block", "block", "reject", "dropOldest"]),
    bufferBytes: 65_536,
    policy: policyOf(focus?.state === "halted" ? "keep" : one(random, ["keep", "keep", "drop"])),
    wire: one(random, ["compact", "compact", "cloudevents"]),
    lingerMs: focus?.state === "queued" ? 20 : Math.floor(random() * 8),
    timeoutMs: one(random, [200, 2000, 30_000])
  })
  const plain = Array.from({ length: focus?.mishap === "openStream" ? 3 : upTo(3) }, (_, index): WorldStream => {
    const legs = [leg(`s${index}`, true)]
    while (legs.length < 3 && chance(0.35)) legs.push(leg(`s${index}-${legs.length}`, chance(0.5)))
    return { stream: `world.s${index}`, isCompacted: chance(0.3), isOrdered: !chance(0.15), legs }
  })
  const spilling = drawSpills(seed, plain, focus)
  const mirrored = drawCanaries(seed, drawMirrors(seed, drawFallbacks(seed, clusters, spilling, focus)))
  const { streams, disk, rates: lasting, clusters: count, rotates } = mirrored
  const rates = drawRates(random, letters)
  Object.assign(rates, undeliveredRates(streams, undelivered), lasting, focus === undefined ? {} : focusRates(focus))
  if (isLettering) rates.poison = 0.25
  const plainGroups = Array.from({ length: upTo(2) }, (_, index): WorldGroup => ({
    group: `g${index}`,
    stream: Math.floor(random() * streams.length),
    api: one(random, ["handle", "handle", "handleBatch", "subscribe"]),
    members: isClosing ? 2 : upTo(2),
    ending: isLettering
      ? one(letters, ["deadLetter", "deadLetterAll"])
      : one(letters, ["retry", "retry", "deadLetter", "deadLetterAll", "drop"]),
    isReplayed: letters() < 0.5
  }))
  const groups = drawReading(seed, plainGroups, focus)
  if (groups.some(({ ending }) => ending !== "retry")) rates.poison ??= 0.05 + letters() * 0.2
  return {
    seed,
    clusters: count,
    leats: isClosing ? 2 : upTo(2),
    streams,
    groups,
    callers: isFull ? 4 : focus?.mishap === "openStream" ? 3 : upTo(3),
    calls: 6 + Math.floor(random() * 18),
    keys: upTo(5),
    rates,
    mishapsMax: undefined,
    slow:
      isFull || isClosing || chance(0.2)
        ? { cluster: streams[0]?.legs[0]?.cluster ?? 0, ms: one(random, [20, 100, 400]) }
        : undefined,
    msMax: one(random, [5, 50, 200]),
    buffersBytes: drawBuffersBytes(seed),
    disk,
    rotates,
    isTraced: chance(0.3),
    focus
  }
}

/** Each mishap is left out of most worlds, those of dead letters of half of them. */
function drawRates(random: () => number, letters: () => number): Partial<Record<Mishap, number>> {
  const rates: Partial<Record<Mishap, number>> = {}
  for (const mishap of mishaps) {
    if (lastingMishaps.includes(mishap)) continue
    if (letterMishaps.includes(mishap)) {
      if (letters() < 0.5) rates[mishap] = letters() * 0.12
    } else if (random() < 0.3) rates[mishap] = random() * 0.12
  }
  return rates
}

/** What brings the state of a focus about. */
function focusRates({ mishap, state }: Occasion): World["rates"] {
  return {
    ...(state === "halted" ? { refuse: 0.2 } : {}),
    ...(state === "inDoubt" || mishap === "fence" ? { loseResponse: 0.3 } : {}),
    ...(state === "inDoubt" ? { fence: 0.3 } : {}),
    ...(state === "closing" ? { close: 0.1 } : {}),
    ...(state === "retrying" ? { fail: 0.3 } : {}),
    ...(state === "parked" ? { handler: 0.3 } : {}),
    ...(state === "fresh" || state === "draining" ? { join: 0.1, leave: 0.1 } : {})
  }
}

/** Whether the buffers of a leat have a bound together, drawn beside the rest. */
function drawBuffersBytes(seed: number): number | undefined {
  const random = seededRandom(Math.imul(seed, 32_452_843) + 3)
  return random() < 0.25 ? one(random, [65_536, 65_536, 131_072, 262_144]) : undefined
}

/** Where legs set aside what they cannot publish, sends fail more often; those of letters too. */
function undeliveredRates(streams: ReadonlyArray<WorldStream>, random: () => number): World["rates"] {
  if (streams.every(({ legs }) => legs.every(({ policy }) => policy !== "setAside"))) return {}
  return {
    ...(random() < 0.7 ? { refuse: 0.05 + random() * 0.3 } : {}),
    ...(random() < 0.3 ? { fail: 0.2 + random() * 0.3 } : {}),
    ...(random() < 0.3 ? { loseResponse: 0.1 + random() * 0.3 } : {})
  }
}

export function one<A>(random: () => number, choices: readonly [A, ...ReadonlyArray<A>]): A {
  return choices[Math.floor(random() * choices.length)] ?? choices[0]
}
