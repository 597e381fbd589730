import type { Transport, TransportError } from "./index.ts"

/** Told with why a subscription has to join again. */
type Left = (error: TransportError) => void

/** A transport whose client can be replaced. */
export interface LeavingTransport extends Transport {
  /** Calls `left` when another client takes the place of the one that subscribes now; returns how to stop that. */
  readonly whenLeft: (left: Left) => () => void
}

/** The same of any transport: most never are. */
export function whenLeft(transport: Transport, left: Left): () => void {
  return "whenLeft" in transport ? (transport as LeavingTransport).whenLeft(left) : () => undefined
}
