/**
 * What is to be done next for a stream, by whoever coordinates. Each of them can be done by two at once, or begun by one and ended by another:
 * of two records the first counts, and what is swept twice is a copy.
 */
import type { Control } from "./Control.ts"
import type { Place, Positions } from "./ControlRecord.ts"
import { isOver, mayRetire, missingIn } from "./moves.ts"
import { type Epoch, endsOf, isSweeping, type Placement } from "./Placement.ts"

export type Duty =
  | { readonly does: "startSealing" }
  /** The ends of `place` are to be read when nobody of `missing` is waited for any more, and not before. */
  | { readonly does: "seal"; readonly place: Place; readonly missing: ReadonlyArray<string> }
  /** The ends of `place` are to be read now. */
  | { readonly does: "open"; readonly place: Place }
  /** Records of `members` with the header of `epoch`, from `from` on, are to be sent to the newest epoch, in order. */
  | {
      readonly does: "sweep"
      readonly epoch: number
      readonly place: Place
      readonly from: Positions
      readonly members: ReadonlyArray<string>
      /** Of those, who has not said up to where it wrote. */
      readonly owing: ReadonlyArray<string>
      readonly to: Epoch
    }
  /** A person has said of another stream that they are dead. */
  | {
      readonly does: "giveUp"
      readonly epoch: number
      readonly place: Place
      readonly isAbandoned: boolean
      readonly members: ReadonlyArray<string>
    }
  /** A person may give up who of them is dead: until all have left the abandoned place, it is read and not retired. */
  | { readonly does: "awaitLeaving"; readonly epoch: number; readonly members: ReadonlyArray<string> }
  /** When the group has settled all of it: up to its end, or where it has none, up to the ends of its place as they are now. */
  | { readonly does: "retire"; readonly epoch: Epoch }

export function dutiesOf(placement: Placement): ReadonlyArray<Duty> {
  const { newest, source } = endsOf(placement)
  if (newest === undefined) return []
  const { isPaused } = placement
  const duties: Array<Duty> = []
  // What has begun to be sealed goes on while it is paused: nothing is sent until it is open.
  if (source?.phase === "open" && !isSweeping(placement) && !isPaused) duties.push({ does: "startSealing" })
  if (source?.phase === "sealing")
    duties.push({ does: "seal", place: source.place, missing: missingIn(placement, source) })
  if (source !== undefined && isOver(source)) duties.push({ does: "open", place: newest.place })
  const to = placement.epochs.findLast(({ phase }) => phase === "open")
  for (const [index, epoch] of placement.epochs.entries()) {
    duties.push(...sweepOf(epoch, to))
    if (!isPaused && mayRetire(placement, index)) duties.push({ does: "retire", epoch })
  }
  return duties
}

function sweepOf({ epoch, place, phase, swept, over }: Epoch, to: Epoch | undefined): ReadonlyArray<Duty> {
  if (over.size === 0) return []
  if (phase === "abandoned") return [{ does: "awaitLeaving", epoch, members: [...over.keys()] }]
  if (to === undefined) return []
  const owing = [...over].flatMap(([member, upTo]) => (upTo === undefined ? [member] : []))
  return [{ does: "sweep", epoch, place, from: swept, members: [...over.keys()], owing, to }]
}

/**
 * What a person's word about other streams makes a duty of this one: a writer is a process, and one that is dead is dead for all streams. Without that
 * word nobody is given up: who is cut off from the control stream may still write, however long nothing was heard of it.
 */
export function wordsCarried({ streams }: Control, { epochs }: Placement): ReadonlyArray<Duty> {
  const isDead = (member: string): boolean => {
    for (const { writers } of streams.values()) if (writers.get(member) === "givenUp") return true
    return false
  }
  return epochs.flatMap(({ epoch, place, phase, over }): ReadonlyArray<Duty> => {
    const members = Array.from(over).flatMap(([member, upTo]) => (upTo === undefined && isDead(member) ? [member] : []))
    return members.length === 0 ? [] : [{ does: "giveUp", epoch, place, isAbandoned: phase === "abandoned", members }]
  })
}
