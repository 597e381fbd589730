/** How a story ends: each part within its time, and each group with everything that is for it. */
import { Effect, Option } from "effect"
import { replay } from "../../deadLetters/replayLetters.ts"
import { deadLetterTopics, retryTopic } from "../../record/DeadLetter.ts"
import type { PartitionBounds, Transport } from "../../transport/index.ts"
import { type PlaceOfTopic, placesRead } from "./fallbackPlaces.ts"
import { joinParty, type Party, resumeAll } from "./party.ts"
import type { WorldGroup } from "./World.ts"
import { clusterName, sinkOf } from "./worldRoutes.ts"

/** How long callers may take once nothing goes wrong any more; longer than any time-out and drain. */
const endsWithin = "5 minutes"

/** Time between two looks, in milliseconds: at what is on its way, and at what is looked for every half minute. */
const lookMs = 20
const ownLookMs = 1000

/** Whether it ends in time; a notice when it does not. */
export function within(party: Party, what: string, effect: Effect.Effect<unknown, unknown>): Effect.Effect<boolean> {
  return Effect.map(Effect.timeoutOption(Effect.exit(effect), endsWithin), (ended) => {
    if (Option.isNone(ended))
      party.chronicle.notice("hung", `${what} did not end within ${endsWithin}: ${books(party)}`)
    return Option.isSome(ended)
  })
}

function books({ tellers }: Party): string {
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value)
  return JSON.stringify(
    tellers.map(({ leat }) => ({ ...leat.ledger.snapshot(), sinks: leat.sinks(), halted: leat.halted() })),
    plain
  ).slice(0, 2000)
}

/** Waits until a group has everything, its replays too, and notes what may be asked of it. */
export const endGroup = Effect.fnUntraced(function* (party: Party, group: WorldGroup) {
  const { world, chronicle, tellers, members, mischief } = party
  const fact = world.streams[group.stream]
  const [leg] = fact?.legs ?? []
  if (fact === undefined || leg === undefined) return
  const teller = tellers.find(({ isClosing }) => !isClosing)
  if (teller !== undefined && !members.some((member) => member.group === group)) yield* joinParty(party, group, teller)
  const isThere = members.some((member) => member.group === group && !member.teller.isClosing)
  const transports = yield* Effect.forEach(party.stages, ({ reader }) => reader)
  const places = yield* placesRead(world, group, transports)
  let isWhole = isThere && teller !== undefined
  for (const { cluster, topic } of places) {
    if (!isWhole || teller === undefined) break
    const transport = yield* Effect.option(teller.leat.transport(clusterName(cluster)))
    isWhole = Option.isSome(transport) && (yield* hasAll(party, group, topic, transport.value))
  }
  const { ending } = group
  chronicle.groups.push({
    group: group.group,
    sink: sinkOf(leg),
    stream: fact.stream,
    isOrdered: fact.isOrdered,
    isWhole,
    fallback: fallbackOf(places),
    delaysMs: group.retryDelaysMs,
    ending: ending === "deadLetterAll" ? "deadLetter" : ending === "halt" ? "retry" : ending,
    // Who consumes by hand may be gone between the work and the word that it is done; tombstones are handled unseen.
    mayRepeat: mischief.mayRepeat || group.api === "subscribe" || fact.isCompacted
  })
})

/** The topic that events stay in beside that of the stream. */
function fallbackOf([, fallback]: ReadonlyArray<PlaceOfTopic>): string | undefined {
  return fallback?.topic
}

/** Waits until a group has settled all there is, and what was replayed for it. */
const hasAll = Effect.fnUntraced(function* (
  party: Party,
  { group, isReplayed, retryDelaysMs }: WorldGroup,
  topic: string,
  transport: Transport
) {
  const { world } = party
  const settled = (name: string, everyMs: number) =>
    Effect.repeat(Effect.delay(Effect.andThen(resumeAll(party), transport.bounds(name, group)), everyMs), {
      until: (bounds) => bounds.every(isSettled)
    })
  // What was given up in doubt may still land, and is then the group's too.
  const landed = Effect.sleep(50 + world.msMax + (world.slow?.ms ?? 0))
  const isRead = yield* within(party, `group ${group}`, Effect.andThen(landed, settled(topic, lookMs)))
  if (!isRead) return false
  const { deadLetters, replays } = deadLetterTopics(topic, group)
  const isThere = (name: string) => Effect.isSuccess(transport.bounds(name))
  if (isReplayed && (yield* isThere(deadLetters))) {
    const replaying = replay(transport, { topic, group }, { replaysMax: 100 })
    yield* within(party, `the last replay of ${group}`, replaying)
  }
  const own = [replays, ...(retryDelaysMs ?? []).map((_, index) => retryTopic(topic, group, index + 1))]
  for (const name of own)
    if ((yield* isThere(name)) && !(yield* within(party, `group ${group} in ${name}`, settled(name, ownLookMs))))
      return false
  return true
})

function isSettled({ start, end, settled }: PartitionBounds): boolean {
  return (settled ?? start) >= end
}
