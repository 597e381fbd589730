/**
 * A process that has a stream open where its fleet does not have it: nobody had heard of it for so long that the stream was moved without it, or it
 * began with routes of its own. What it has stored there since its epoch ended is read by nobody, although it was told stored: it sends that on itself,
 * and goes where the fleet is.
 */
import { Effect } from "effect"
import type { Place } from "../control/ControlRecord.ts"
import { type Epoch, isSameTopic, plannedEpoch, type Placement } from "../control/Placement.ts"
import type { Leg } from "../routes/Routes.ts"
import { Places } from "./Places.ts"
import type { WriterHome } from "./PlacedWriter.ts"
import { carry } from "./sweep.ts"
import type { Trouble } from "./Trouble.ts"

export class Straggler {
  readonly leg: Leg
  /** Of no number that an epoch has. */
  readonly epoch: Epoch
  readonly #home: WriterHome

  constructor(home: WriterHome, leg: Leg) {
    this.#home = home
    this.leg = leg
    const { cluster, topic } = leg
    // All partitions that it has open.
    this.epoch = plannedEpoch(-1, { cluster, topic, partitions: Number.MAX_SAFE_INTEGER })
  }

  /** From where nobody reads what it has sent there: behind the end of the epoch that it wrote, or of one that has begun there since. */
  #unread({ epochs }: Placement): Pick<Epoch, "place" | "begin"> | undefined {
    const here = { ...this.leg, partitions: 0 }
    const all = epochs.filter(({ place }) => isSameTopic(place, here))
    const ended = all.findLast(({ end, epoch }) => end !== undefined && epoch <= this.leg.epoch)
    if (ended !== undefined) return { place: ended.place, begin: ended.end }
    return all.find(({ begin, epoch }) => begin !== undefined && epoch > this.leg.epoch)
  }

  /** Sends on what nobody reads of what this process has stored there: in order, each until it is stored. Gives how many there were. */
  carry(placement: Placement, to: Epoch): Effect.Effect<number, Trouble> {
    const { stream, member, transportOf } = this.#home
    const unread = this.#unread(placement)
    if (unread?.begin === undefined) return Effect.succeed(0)
    const { place, begin } = unread
    const places = new Places(transportOf)
    return Effect.gen({ self: this }, function* () {
      // It had all partitions open, also those that the topic was given since.
      const partitions = yield* places.partitions(place)
      const from = Array.from({ length: partitions }, (_, partition) => begin[partition] ?? 0)
      const lies = { epoch: this.leg.epoch, place: { ...place, partitions }, from }
      const duty = { does: "sweep", ...lies, members: [member], owing: [], to } as const
      return yield* carry({ stream, placement, duty }, { places, onWaiting: () => undefined }, () => Effect.void)
    })
  }

  sentence(placement: Placement, { place }: Epoch, carried: number): string {
    const [here, there] = [textOf(this.leg), textOf(place)]
    const rest =
      this.#unread(placement) === undefined
        ? "what it has stored there stays there, and is read by nobody of the fleet"
        : `${carried} records that it had stored there since the stream moved were sent on`
    return `was not heard of here: this process had the stream open at ${here}, and goes to ${there} now; ${rest}`
  }
}

function textOf({ cluster, topic }: Pick<Place, "cluster" | "topic">): string {
  return `${cluster}/${topic}`
}
