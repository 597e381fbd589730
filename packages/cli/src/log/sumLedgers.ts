import type { AnnouncedLedger } from "@leat/log"

/** What all processes together announced of a stream: offered = admitted + rejected + waiting. */
export interface StreamSum {
  readonly stream: string
  offered: number
  admitted: number
  rejected: number
  waiting: number
}

/**
 * What became of the events of a stream on one sink: admitted + recovered + movedIn = stored + fellBack + deadLettered + dropped + movedOut + pending +
 * crashLost + missing + unknown - excess.
 */
export interface LegSum {
  readonly stream: string
  readonly sink: string
  admitted: number
  /** Left in a spill, or in a fallback, by an earlier process, and ended in this one. */
  recovered: number
  /** Come from the leg of another epoch: the stream has moved. */
  movedIn: number
  /** Gone on as the leg of another epoch. */
  movedOut: number
  stored: number
  /** Stored in the fallback. */
  fellBack: number
  deadLettered: number
  dropped: number
  /** On their way when it was announced. */
  pending: number
  /** Lost with a process that is gone: announced, and not in the log. */
  crashLost: number
  /** Told as stored to a process that is gone, and not in the log. */
  missing: number
  /** In the log, or dropped, beyond what a process that is gone has admitted: its announcement and the log contradict each other. */
  excess: number
  /** On their way in a process that is gone, to where nobody here can look, or of which the log has deleted ids. */
  unknown: number
}

/** What groups did with what they read. */
export interface GroupSum {
  readonly group: string
  readonly stream: string
  positions: number
  done: number
  /** To a retry topic of the group, where they are positions again. */
  moved: number
  deadLettered: number
  dropped: number
}

/** Sums over incarnations, by stream, by sink and by group. */
export function sumLedgers(ledgers: ReadonlyArray<AnnouncedLedger>) {
  const streams = new Map<string, StreamSum>()
  const legs = new Map<string, LegSum>()
  const groups = new Map<string, GroupSum>()
  for (const ledger of ledgers) {
    for (const { stream, offered, admitted, rejected, waiting } of ledger.streams) {
      const sum = of(streams, stream, () => ({ stream, offered: 0, admitted: 0, rejected: 0, waiting: 0 }))
      sum.offered += offered
      sum.admitted += admitted
      sum.rejected += total(rejected)
      sum.waiting += waiting
    }
    for (const leg of ledger.legs) addLeg(legs, ledger, leg)
    for (const { group, stream, positions, done, moved, deadLettered, dropped } of ledger.lanes) {
      const sum = of(groups, `${group}\n${stream}`, () => {
        return { group, stream, positions: 0, done: 0, moved: 0, deadLettered: 0, dropped: 0 }
      })
      sum.positions += positions
      sum.done += done
      sum.moved += total(moved)
      sum.deadLettered += total(deadLettered)
      sum.dropped += total(dropped)
    }
  }
  return { streams: [...streams.values()], legs: [...legs.values()], groups: [...groups.values()] }
}

function addLeg(legs: Map<string, LegSum>, ledger: AnnouncedLedger, leg: AnnouncedLedger["legs"][number]): void {
  const { stream, sink, epoch } = leg
  const sum = of(legs, `${stream}\n${sink}`, () => {
    const counts = {
      admitted: 0,
      recovered: 0,
      movedIn: 0,
      movedOut: 0,
      stored: 0,
      fellBack: 0,
      deadLettered: 0,
      dropped: 0
    }
    return { stream, sink, ...counts, pending: 0, crashLost: 0, missing: 0, excess: 0, unknown: 0 }
  })
  const pending = leg.queued + leg.inFlight + leg.inDoubt + leg.deadLettering + leg.spilled
  const loss = ledger.crashLosses.find((one) => one.stream === stream && one.sink === sink)
  sum.admitted += leg.admitted
  sum.recovered += leg.recovered
  sum.movedIn += leg.movedIn
  sum.movedOut += leg.movedOut
  sum.deadLettered += total(leg.deadLettered)
  sum.dropped += total(leg.dropped)
  if (loss === undefined) {
    sum.fellBack += leg.fellBack
    sum.stored += leg.stored
    if (ledger.state === "gone" || ledger.state === "forgotten") sum.unknown += pending
    else sum.pending += pending
    return
  }
  // Of a process that is gone the log knows better what was stored: all that has not ended otherwise.
  sum.stored += leg.admitted + leg.recovered + leg.movedIn - leg.movedOut - total(leg.deadLettered) - total(leg.dropped)
  // A loss is told once for all epochs of its sink.
  if (loss.epoch === epoch) addLoss(sum, ledger, loss)
}

/** What of the rows of a sink is neither stored nor has ended there. */
function addLoss(sum: LegSum, { legs }: AnnouncedLedger, loss: AnnouncedLedger["crashLosses"][number]): void {
  const own = legs.filter(({ stream, sink }) => stream === loss.stream && sink === loss.sink)
  // What was sent on from its fallback is stored, and the rest of what has no place is there or in its spill.
  const fellBack = Math.min(
    own.reduce((all, leg) => all + leg.fellBack, 0),
    loss.spilled
  )
  sum.stored -= loss.spilled + loss.crashLost + loss.missing - loss.excess
  sum.fellBack += fellBack
  sum.pending += loss.spilled - fellBack
  sum.crashLost += loss.crashLost
  sum.missing += loss.missing
  sum.excess += loss.excess
}

function of<A>(sums: Map<string, A>, key: string, empty: () => A): A {
  const sum = sums.get(key) ?? empty()
  sums.set(key, sum)
  return sum
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
