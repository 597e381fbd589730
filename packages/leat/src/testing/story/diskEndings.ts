/** How a story ends with its disks: what they hold is sent on, by whoever has them, or by a last process. */
import { Effect } from "effect"
import { type Party, resumeAll } from "./party.ts"
import { within } from "./endings.ts"
import { haveAllLegs } from "./mirrorEndings.ts"
import { openTeller } from "./processes.ts"
import type { Teller } from "./Teller.ts"

/** How long those who share a disk run beside each other before the first of them closes, at most, in milliseconds. */
const sharedMsMax = 15_000

/** Time between two looks at what is left, in milliseconds. */
const lookMs = 100

/** Now and then the first of several leats closes: the others publish nothing to what they spill together before that. */
export function leaveDisk({ tellers, mischief }: Party): Effect.Effect<never> {
  const close = Effect.suspend(() => {
    const [first, ...others] = tellers.filter(({ isClosing }) => !isClosing)
    return first === undefined || others.length === 0 ? Effect.void : first.close
  })
  const later = Effect.suspend(() => Effect.delay(close, 50 + Math.floor(mischief.random() * sharedMsMax)))
  return Effect.forever(later)
}

/** Of those who share a disk all but one close, one after the other: as long as several run, each may wait for another. */
export const leaveToOne = Effect.fnUntraced(function* (party: Party) {
  if (party.world.disk?.isShared !== true) return
  const running = party.tellers.filter(({ isClosing }) => !isClosing)
  for (const teller of running.slice(0, -1)) yield* within(party, "a close", teller.close)
})

/** Waits until the disks are empty; where nobody has one, a process is begun for it, and where nobody is left, for the groups. */
export const emptyDisks = Effect.fnUntraced(function* (party: Party) {
  const { tellers, disks, world, chronicle } = party
  const last = Array.from({ length: world.leats }, (_, slot) => tellers.findLast((teller) => teller.slot === slot))
  for (const teller of last) {
    if (teller === undefined || isHad(party, teller)) continue
    if (teller.isCrashed || (teller.disk !== undefined && (yield* disks.left(teller.disk)) > 0))
      yield* openTeller(party, teller.slot)
  }
  for (const teller of tellers)
    if (teller.disk !== undefined && !teller.isClosing)
      for (const [index, { legs }] of world.streams.entries())
        if (legs.some(({ spill }) => spill !== undefined)) yield* teller.stream(index)
  yield* haveAllLegs(party)
  const isEmpty = Effect.gen(function* () {
    yield* resumeAll(party)
    for (const disk of disks.numbers) if ((yield* disks.left(disk)) > 0) return false
    return tellers.every(
      ({ isClosing, leat }) => isClosing || leat.ledger.snapshot().legs.every(({ spilled }) => spilled === 0)
    )
  })
  yield* within(party, "a spill", Effect.repeat(Effect.delay(isEmpty, lookMs), { until: (empty) => empty }))
  for (const disk of disks.numbers) {
    const left = yield* disks.left(disk)
    if (left > 0) chronicle.notice("lost", `disk ${disk} still holds ${left} events`)
  }
})

/** Whether a process that runs has the place of a leat, or its disk. */
function isHad({ tellers }: Party, { slot, disk }: Teller): boolean {
  return tellers.some((one) => !one.isClosing && (one.slot === slot || (disk !== undefined && one.disk === disk)))
}
