/** Judges a stream that was moved: by raw reads of both places, and by what publishers and handlers have printed. */
import { Effect, Stream } from "effect"
import { readMeta } from "leat"
import type { ReceivedRecord, Transport, TransportError } from "leat/transport"
import { contract, isIntact, nameOf } from "./event.ts"
import type { Handled } from "./Line.ts"
import { linesOf, type Member, type Range } from "./MovedFleet.ts"

/** An event as it stands in the range of an epoch. */
export interface Standing {
  readonly text: string
  readonly epoch: number
  /** Incarnation and bucket: order is kept within one. */
  readonly lane: string
  readonly seq: number
}

export interface Found {
  /** In the order of epochs, and in each partition in its order. */
  readonly standing: ReadonlyArray<Standing>
  /** Records of an epoch that stand outside of its range: of writers that it passed over. */
  readonly late: number
  /** Records that nobody of the fleet has published so: where they stand. */
  readonly garbled: ReadonlyArray<string>
}

/** Reads each topic once, whole. */
export const readRanges = (
  transports: Readonly<Record<string, Transport>>,
  ranges: ReadonlyMap<number, Range>
): Effect.Effect<Found, TransportError> =>
  Effect.gen(function* () {
    const standing: Array<Standing> = []
    const garbled: Array<string> = []
    let late = 0
    for (const { cluster, topic, partitions } of placesOf(ranges))
      for (let partition = 0; partition < partitions; partition++) {
        const transport = transports[cluster]
        if (transport === undefined) throw new Error(`nobody has opened cluster ${cluster}`)
        yield* Stream.runForEach(transport.read(topic, partition, { fromPosition: 0n }), ({ records }) =>
          Effect.sync(() => {
            for (const record of records) {
              const found = standingOf(record)
              if (found === undefined) continue
              const { position } = record
              if (found === "garbled") garbled.push(`${cluster}/${topic}/${partition} at ${position}`)
              else if (isWithin(ranges.get(found.epoch), { cluster, topic, partition, position })) standing.push(found)
              else late++
            }
          })
        )
      }
    // Sorting is stable: records of one partition keep their order.
    return { standing: standing.toSorted((one, other) => one.epoch - other.epoch), late, garbled }
  })

function placesOf(ranges: ReadonlyMap<number, Range>): ReadonlyArray<Range["place"]> {
  const places = Array.from(ranges.values(), ({ place }) => place)
  return Array.from(new Map(places.map((place) => [`${place.cluster}/${place.topic}`, place])).values())
}

interface At {
  readonly cluster: string
  readonly topic: string
  readonly partition: number
  readonly position: bigint
}

function isWithin(range: Range | undefined, { cluster, topic, partition, position }: At): boolean {
  if (range === undefined || range.place.cluster !== cluster || range.place.topic !== topic) return false
  return position >= (range.begin[partition] ?? 0) && position < (range.end?.[partition] ?? Infinity)
}

/** Undefined: it is a marker, which says what was dropped. */
function standingOf({ headers, value }: ReceivedRecord): Standing | "garbled" | undefined {
  const { id, epoch, isMarker } = readMeta(headers, contract.stream)
  if (isMarker) return undefined
  const note = value === null ? undefined : decoded(value)
  if (id === undefined || epoch === undefined || note === undefined || !isIntact(note)) return "garbled"
  return { text: note.text, epoch, lane: `${id.incarnation}/${id.bucket}`, seq: id.seq }
}

function decoded(value: Uint8Array) {
  try {
    return contract.decode(value)
  } catch {
    return undefined
  }
}

/** What was done to the fleet, for the bounds of what may come twice. */
export interface Attempts {
  /** Of its processes, and of nodes of its brokers. */
  readonly kills: number
  readonly stops: number
  /** From the control stream. */
  readonly cuts: number
  /** Whether moves give up order. */
  readonly isRelaxed?: boolean
}

/** Events that one kill, stop or cut may have in hand: those of a handler, or of a send, that nobody has settled. */
const inHandMax = 256

export interface Verdict {
  readonly published: number
  readonly stored: number
  readonly handled: number
  readonly copies: number
  readonly late: number
  /** Handled again, in all groups together. */
  readonly repeated: number
  readonly violation: string | undefined
}

export function judged(
  members: ReadonlyArray<Member>,
  groups: ReadonlyArray<string>,
  found: Found,
  attempts: Attempts
): Verdict {
  const { standing, late, garbled } = found
  const there = new Set(standing.map(({ text }) => text))
  const owed = new Set(members.flatMap(owedOf))
  const published = members.flatMap(publishedOf).length
  const copies = standing.length - there.size
  const lines = new Map(groups.map((group) => [group, handledBy(members, group)]))
  const epochs = new Map(standing.toReversed().map(({ text, epoch }) => [text, epoch]))
  // Where moves give up order, it is that within an epoch.
  const partOf = (text: string) => (attempts.isRelaxed === true ? (epochs.get(text) ?? 0) : 0)
  const violations = [
    members.map(endFault).find((fault) => fault !== undefined),
    garbled.length === 0 ? undefined : `${garbled.length} records are garbled: ${garbled.slice(0, 3).join(", ")}`,
    lost("nowhere that is read", owed, there),
    inversion(standing),
    ...Array.from(lines, ([group, handled]) => groupFault(group, handled, new Set([...owed, ...there]), partOf))
  ]
  let handledAll = 0
  let repeated = 0
  for (const handled of lines.values()) {
    const texts = new Set(handled.map(([, text]) => text))
    handledAll += texts.size
    repeated += handled.length - texts.size
  }
  const unanswered = members.reduce((total, member) => total + unansweredOf(member), 0)
  const copiesMax = inHandMax * (attempts.kills + attempts.stops + attempts.cuts) + unanswered
  if (copies > copiesMax) violations.push(`${copies} copies stand there, and ${copiesMax} can`)
  const repeatedMax = groups.length * (copies + late + copiesMax)
  if (repeated > repeatedMax) violations.push(`${repeated} were handled again, and ${repeatedMax} can have been`)
  const violation = violations.find((one) => one !== undefined)
  return { published, stored: standing.length, handled: handledAll, copies, late, repeated, violation }
}

/** Records whose answer was lost: each may stand there once more. */
function unansweredOf(member: Member): number {
  return linesOf(member).reduce((total, line) => total + (line[0] === "unanswered" ? line[1] : 0), 0)
}

/** Events that have to be there: those that their process was told are stored, and all that were admitted where it ended well. */
export function owedOf(member: Member): ReadonlyArray<string> {
  return linesOf(member).flatMap(([kind, text]) => {
    const isOwed = kind === "stored" || (member.is === "ended" && (kind === "offered" || kind === "queued"))
    return isOwed && text !== "" ? [text] : []
  })
}

function publishedOf(member: Member): ReadonlyArray<string> {
  return linesOf(member).flatMap(([kind, text]) =>
    (kind === "stored" || kind === "offered" || kind === "queued") && text !== "" ? [text] : []
  )
}

/** Of a process that was not killed. */
function endFault(member: Member): string | undefined {
  if (member.is === "killed") return undefined
  const lines = linesOf(member)
  const failed = lines.find(([kind]) => kind === "failed")
  if (failed !== undefined) return `${member.name} could not publish: ${JSON.stringify(failed)}`
  const last = lines.at(-1)
  if (last?.[0] !== "end") return `${member.name} was not closed: ${member.child.errors}`
  return last[1] ? undefined : `the ledger of ${member.name} does not balance`
}

function lost(where: string, owed: ReadonlySet<string>, there: ReadonlySet<string>): string | undefined {
  const missing = [...owed].filter((text) => !there.has(text))
  return missing.length === 0
    ? undefined
    : `${missing.length} of ${owed.size} events are ${where}: ${missing.slice(0, 3).join(", ")}`
}

function inversion(standing: ReadonlyArray<Standing>): string | undefined {
  const highest = new Map<string, Standing>()
  const seen = new Set<string>()
  for (const one of standing) {
    if (seen.has(one.text)) continue
    seen.add(one.text)
    const before = highest.get(one.lane)
    if (before !== undefined && one.seq < before.seq)
      return `event ${one.text} (${one.seq}, epoch ${one.epoch}) stands for the first time behind ${before.text} (${before.seq}, epoch ${before.epoch})`
    highest.set(one.lane, one)
  }
  return undefined
}

function groupFault(
  group: string,
  handled: ReadonlyArray<Handled>,
  owed: ReadonlySet<string>,
  partOf: (text: string) => number
): string | undefined {
  const missing = lost(`handled by nobody of group ${group}`, owed, new Set(handled.map(([, text]) => text)))
  if (missing !== undefined) return missing
  const highest = new Map<string, Handled>()
  const seen = new Set<string>()
  for (const line of handled) {
    const [, text, key, seq] = line
    if (!isIntact({ key, text })) return `group ${group} was given a garbled event: ${JSON.stringify(line)}`
    if (seen.has(text)) continue
    seen.add(text)
    const lane = `${nameOf(text)} ${key} ${partOf(text)}`
    const before = highest.get(lane)
    if (before !== undefined && seq < before[3])
      return `group ${group} handled event ${text} of ${key} for the first time behind ${before[1]}`
    highest.set(lane, line)
  }
  return undefined
}

/** In order of time. */
export function handledBy(members: ReadonlyArray<Member>, group: string): ReadonlyArray<Handled> {
  return members
    .filter((member) => member.group === group)
    .flatMap((member) => linesOf(member).flatMap((line) => (line[0] === "handled" ? [line] : [])))
    .toSorted((one, other) => one[4] - other[4])
}

/** By epoch and group: from the last event of the epoch before it that was handled to the first one of it, in milliseconds. */
export function pausesOf(
  members: ReadonlyArray<Member>,
  groups: ReadonlyArray<string>,
  { standing }: Found
): ReadonlyArray<{ readonly epoch: number; readonly group: string; readonly ms: number }> {
  const epochs = new Map<string, number>()
  for (const { text, epoch } of standing) if (!epochs.has(text)) epochs.set(text, epoch)
  return groups.flatMap((group) => {
    const times = new Map<number, { readonly firstMs: number; lastMs: number }>()
    const seen = new Set<string>()
    for (const [, text, , , atMs] of handledBy(members, group)) {
      const epoch = epochs.get(text)
      if (epoch === undefined || seen.has(text)) continue
      seen.add(text)
      const known = times.get(epoch)
      if (known === undefined) times.set(epoch, { firstMs: atMs, lastMs: atMs })
      else known.lastMs = atMs
    }
    const all = Array.from(times).toSorted(([one], [other]) => one - other)
    return all.slice(1).map(([epoch, { firstMs }], index) => ({
      epoch,
      group,
      ms: Math.max(0, firstMs - (all[index]?.[1].lastMs ?? firstMs))
    }))
  })
}
