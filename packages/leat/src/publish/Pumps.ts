import { AsyncResource } from "node:async_hooks"
import type { Context } from "effect"
import type { Transport } from "../transport/index.ts"
import { ArenaPool } from "./ArenaPool.ts"
import { BufferBound } from "./BufferBound.ts"
import { Pump } from "./Pump.ts"
import type { TurnClock } from "./TurnClock.ts"

/** The pumps of one leat, one for each open cluster, and the arenas that they share. */
export class Pumps {
  readonly #arenas: ArenaPool
  readonly #pumps = new WeakMap<Transport, Pump>()
  readonly #context: Context.Context<never>
  readonly #turnClock: TurnClock
  /** The async context in which the leat was opened. */
  readonly #opening = new AsyncResource("leat.pump")

  /** `bufferBytesMax` is over all sinks of all clusters; undefined: each has its own bound only. */
  constructor(context: Context.Context<never>, turnClock: TurnClock, bufferBytesMax?: number) {
    this.#arenas = new ArenaPool(bufferBytesMax === undefined ? undefined : new BufferBound(bufferBytesMax))
    this.#context = context
    this.#turnClock = turnClock
  }

  /** The pump of a cluster. */
  of(transport: Transport): Pump {
    let pump = this.#pumps.get(transport)
    if (pump === undefined) {
      pump = new Pump(transport, this.#arenas, this.#context, this.#turnClock, this.#opening)
      this.#pumps.set(transport, pump)
    }
    return pump
  }
}
