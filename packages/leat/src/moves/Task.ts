/** A duty of a stream that somebody takes on, by a state of the control stream. */
import type { Control } from "../control/Control.ts"
import type { ControlStream } from "../control/ControlStream.ts"
import type { Duty } from "../control/duties.ts"
import { type Epoch, endsOf, type Placement } from "../control/Placement.ts"
import type { Places } from "./Places.ts"

export interface Task<Of extends Duty = Duty> {
  readonly stream: string
  readonly duty: Of
  readonly placement: Placement
  /** What it is judged by; what is written counts only where nothing of that has changed. */
  readonly control: Control
}

export type DutyCalled<Does extends Duty["does"]> = Extract<Duty, { readonly does: Does }>

/** What it takes to do one. */
export interface Means {
  readonly control: Pick<ControlStream, "write">
  readonly places: Places
  /** Is told why it takes long, while it is tried on. */
  readonly onWaiting: (why: string) => void
}

/** The epoch that a duty is about: while it stays as it is, nothing has got on. */
export function epochOf(placement: Placement, duty: Duty): Epoch | undefined {
  const { newest, source } = endsOf(placement)
  switch (duty.does) {
    case "startSealing":
    case "seal":
      return source
    case "open":
      return newest
    case "retire":
      return duty.epoch
    case "sweep":
    case "giveUp":
    case "awaitLeaving":
      return placement.epochs.find(({ epoch }) => epoch === duty.epoch)
  }
}
