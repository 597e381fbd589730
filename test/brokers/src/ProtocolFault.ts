export interface RequestMatch {
  readonly apiKey: number
  /** The how many-th request of that kind from now on, over all connections of the proxy; the first by default. */
  readonly nth?: number
}

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
}

/** A fault that waits for its request. */
export interface FaultHandle {
  /** Resolves with the request that it hit, once the fault is done. */
  readonly happened: Promise<RequestHeader>
  /** Takes the fault back if its request has not come yet. */
  readonly cancel: () => void
}

export type FaultKind = "drop response, then hold" | "drop response, then reset" | "cut mid-frame"

/** Counts the requests that it is for, and meets one of them. */
export class ProtocolFault {
  readonly kind: FaultKind
  readonly #match: RequestMatch
  readonly #happened = Promise.withResolvers<RequestHeader>()
  #left: number

  constructor(kind: FaultKind, match: RequestMatch) {
    this.kind = kind
    this.#match = match
    this.#left = match.nth ?? 1
  }

  get happened(): Promise<RequestHeader> {
    return this.#happened.promise
  }

  /** Whether this is the request; true once. */
  meets({ apiKey }: RequestHeader): boolean {
    if (apiKey !== this.#match.apiKey) return false
    this.#left -= 1
    return this.#left === 0
  }

  done(header: RequestHeader): void {
    this.#happened.resolve(header)
  }
}

/** Undefined where the frame is too short to be a request. */
export function requestHeader(frame: Buffer): RequestHeader | undefined {
  if (frame.length < 12) return undefined
  return { apiKey: frame.readInt16BE(4), apiVersion: frame.readInt16BE(6), correlationId: frame.readInt32BE(8) }
}

export const correlationIdOf = (response: Buffer): number | undefined =>
  response.length < 8 ? undefined : response.readInt32BE(4)
