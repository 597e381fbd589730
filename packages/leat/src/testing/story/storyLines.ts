/** A story in words: the world that it played in, and everything that happened, one line for each thing. */
import type { Call, Chronicle, Handling, LegFact } from "../judge/Chronicle.ts"
import type { World, WorldDisk, WorldLeg } from "./World.ts"
import { clusterName, sinkOf } from "./worldRoutes.ts"

/**
 * What a world consists of, in a few lines.
 *
 * @example
 * ```ts
 * worldLines(drawWorld(42))[0] // "seed 42: 2 leats, 3 callers each with 9 calls, 4 keys, 1 cluster"
 * ```
 */
export function worldLines(world: World): ReadonlyArray<string> {
  const { seed, leats, callers, calls, keys, clusters, mishapsMax, slow, buffersBytes, disk, focus, rotates } = world
  const rates = Object.entries(world.rates).map(([mishap, rate]) => `${mishap} ${(rate * 100).toFixed(1)} %`)
  const most = mishapsMax === undefined ? "" : `, the first ${mishapsMax}`
  const after = focus === undefined ? [] : [`${focus.mishap} is brought about while ${focus.state}`]
  return [
    `seed ${seed}: ${many(leats, "leat")}, ${many(callers, "caller")} each with ${many(calls, "call")}, ${many(keys, "key")}, ` +
      many(clusters, "cluster"),
    ...world.streams.flatMap(({ stream, isCompacted, isOrdered, legs }) => [
      `stream ${stream}${isCompacted ? ", compacted" : ""}${isOrdered ? "" : ", unordered"}`,
      ...legs.map(
        (leg) =>
          `  leg ${sinkOf(leg)}: ${leg.isRequired ? "required" : "best-effort"}, ${leg.overflow}, ${leg.policy}, ${leg.wire}, ` +
          `linger ${leg.lingerMs} ms, time-out ${leg.timeoutMs} ms${budgetWords(leg)}${breakerWords(leg)}${spillWords(leg)}${fallbackWords(leg)}${mirrorWords(leg)}`
      )
    ]),
    ...world.groups.map(
      ({ group, stream, api, members, ending, isReplayed, retryDelaysMs, readBytes }) =>
        `group ${group} of ${world.streams[stream]?.stream}: ${api}, ${many(members, "member")}, ${ending}` +
        (retryDelaysMs === undefined ? "" : `, tried again after ${retryDelaysMs.join(", ")} ms`) +
        `${isReplayed ? ", replayed at the end" : ""}${readBytes === undefined ? "" : `, lanes of ${readBytes} bytes`}`
    ),
    ...(slow === undefined ? [] : [`every answer of cluster ${slow.cluster} takes ${slow.ms} ms`]),
    ...(rotates === true ? ["the sections of all clusters change with every second table"] : []),
    ...(disk === undefined ? [] : [diskWords(disk)]),
    ...(buffersBytes === undefined ? [] : [`the buffers of each leat have ${buffersBytes} bytes together`]),
    `mishaps${most}: ${[...rates, ...after].join(", ") || "none"}`
  ]
}

function budgetWords({ budget }: WorldLeg): string {
  return budget === undefined ? "" : `, retries up to ${budget * 100} %`
}

function breakerWords({ breaker }: WorldLeg): string {
  if (breaker === undefined) return ""
  return breaker === "ends" ? ", a breaker that ends what waits" : ", a breaker"
}

function spillWords({ spill }: WorldLeg): string {
  if (spill === undefined) return ""
  const rate = spill.rate === undefined ? "" : `, sent on at ${spill.rate} a second`
  return `, spills up to ${spill.bytes} bytes after ${many(spill.retries + 1, "attempt")}${rate}`
}

function mirrorWords({ isIn, canary }: WorldLeg): string {
  const when = isIn === undefined ? "" : `, only in ${isIn} tables`
  if (canary === undefined) return when
  const { even, odd } = canary
  const share = even === odd ? even.percent : `${even.percent} in even tables and ${odd.percent} in odd ones`
  return `${when}, keys of ${share}`
}

function fallbackWords({ fallback }: WorldLeg): string {
  if (fallback === undefined) return ""
  const { cluster, further, retries, back } = fallback
  const then = further === undefined ? "" : `, then ${clusterName(further)},`
  return `, falls back to ${clusterName(cluster)}${then} after ${many(retries + 1, "attempt")}${back === "stay" ? " and stays there" : ""}`
}

function diskWords({ isShared, flushMs }: WorldDisk): string {
  return `${isShared ? "all leats share a disk, which flushes" : "each leat has a disk, which flushes"} after ${flushMs} ms`
}

interface Line {
  readonly at: number
  readonly text: string
}

/**
 * Everything that happened, in order, and then what raw reads found. Two runs with the same lines are the same run to everybody
 * in it.
 *
 * @example
 * ```ts
 * for (const line of storyLines(simulateWorld(drawWorld(42)).chronicle)) console.log(line)
 * ```
 */
export function storyLines(chronicle: Chronicle): ReadonlyArray<string> {
  const lines: ReadonlyArray<Line> = [
    ...Array.from(chronicle.calls.values()).flatMap(linesOfCall),
    ...Array.from(chronicle.legs.values(), lineOfLeg),
    ...chronicle.handlings.flatMap(linesOfHandling),
    ...Array.from(chronicle.lettersStored, ([place, at]) => ({ at, text: `the dead letter of ${place} is stored` })),
    ...chronicle.mishaps.map(({ at, mishap, leat, states }) => ({
      at,
      text: `! ${mishap} at leat ${leat}, ${states.join(", ")}`
    }))
  ]
  const inOrder = lines.toSorted((one, other) => one.at - other.at).map(({ at, text }) => `${at} ${text}`)
  return [...inOrder, ...linesOfCopies(chronicle), ...linesOfLetters(chronicle), ...linesOfUndelivered(chronicle)]
}

function linesOfCall({ serial, leat, stream, api, key, value, beganAt, endedAt, said }: Call): ReadonlyArray<Line> {
  const what = value === null ? "a tombstone" : `${value.length} bytes`
  const began = { at: beganAt, text: `leat ${leat}: ${api} of event ${serial} (${key}, ${what}) to ${stream}` }
  return endedAt === undefined ? [began] : [began, { at: endedAt, text: `event ${serial} is told ${said}` }]
}

function lineOfLeg({ sink, serial, bucket, seq, admittedAt, place, attempts }: LegFact): Line {
  const end = `${place} in the end, ${many(attempts, "attempt")}`
  return { at: admittedAt, text: `${sink}: event ${serial} is admitted, bucket ${bucket} seq ${seq}; ${end}` }
}

function linesOfHandling(handling: Handling): ReadonlyArray<Line> {
  const { group, member, serial, topic, partition, position, beganAt, endedAt, isDone } = handling
  const who = `member ${member} of ${group}:`
  const began = { at: beganAt, text: `${who} event ${serial} begins, position ${position} of ${topic}/${partition}` }
  const how = isDone ? "is done" : "failed"
  return endedAt === undefined ? [began] : [began, { at: endedAt, text: `${who} event ${serial} ${how}` }]
}

function linesOfCopies({ copies }: Chronicle): ReadonlyArray<string> {
  const places = Map.groupBy(copies, ({ sink, partition }) => `${sink}/${partition}`)
  return Array.from(places, ([place, found]) => {
    const events = found.map(({ position, serial, seq }) => `${position}: event ${serial} seq ${seq}`)
    return `${place} holds ${events.join(", ")}`
  })
}

function linesOfLetters({ letters, replays, retries }: Chronicle): ReadonlyArray<string> {
  const places = Map.groupBy([...letters, ...replays, ...retries], ({ topic, partition }) => `${topic}/${partition}`)
  return Array.from(places, ([place, found]) => {
    const events = found.map(({ position, id, replays: count }) => `${position}: ${id} after ${many(count, "replay")}`)
    return `${place} holds ${events.join(", ")}`
  })
}

function linesOfUndelivered({ undelivered }: Chronicle): ReadonlyArray<string> {
  const places = Map.groupBy(undelivered, ({ sink, partition }) => `${sink}.undelivered/${partition}`)
  return Array.from(places, ([place, found]) => {
    const events = found.map(({ position, serial, tag }) => `${position}: event ${serial} (${tag})`)
    return `${place} holds ${events.join(", ")}`
  })
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
