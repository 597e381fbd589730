import type { From } from "leat/transport"
import type { Fault } from "../../Fault.ts"
import type { Calls } from "../../Message.ts"
import type { Claim } from "./Groups.ts"

/** A member of a group in this worker: one lease for all that it reads. */
export interface Member {
  readonly number: number
  readonly group: string
  readonly subscriptions: Set<Subscription>
  /** The id of its row; a new random one each time that it enters the group. */
  row: number
  /** Whether the row is there: written, and not known to be evicted. */
  isEntered: boolean
  /** Why the last try to write the row has failed. */
  fault: Fault | undefined
}

/** One topic that a member reads. */
export interface Subscription {
  readonly number: number
  readonly member: Member
  readonly topic: string
  readonly from: From
  readonly drainMs: number
  /** Draining: gets no more lanes. */
  isLeaving: boolean
  /** Releases and takes of its lanes so far. */
  handOvers: number
}

/** Answers one call of the main thread. */
export interface Answer<A> {
  readonly done: (answer: A) => void
  readonly failed: (fault: Fault, mayBeStored: boolean) => void
}

export type Pulled = Calls["pull"]["answer"]

/** A pull that waits for records. */
export interface Pull extends Answer<Pulled> {
  readonly from: number
}

/** A lane that a member here holds. */
export interface Holding {
  readonly number: number
  readonly subscription: Subscription
  readonly claim: Claim
  state: "held" | "revoked" | "released"
  isTouched: boolean
  pull: Pull | undefined
  deadline: NodeJS.Timeout | undefined
}
